/** Checkouts that are half written: only a journal says what their files were. */
import type { Applications } from '../../ports/applications.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'applications'

/** Not for `--fix`: working files are the user's, who says when they are written. */
export async function findApplicationTrouble(
  applications: Applications,
  files: TaskFiles,
): Promise<readonly Finding[]> {
  const all = (await files.list()).flatMap(({ task }) => applications.list(task))
  const interrupted = all.filter(({ isWhole }) => !isWhole)
  if (interrupted.length === 0) return [fine(CHECK, `${all.length}, all of them whole`)]
  return interrupted.map(({ task, root, isHandBack, isPick }) => {
    const [what, hint] = isHandBack
      ? [`${task} was being handed back to`, `do it again: holdfast handoff ${task} --to worktree`]
      : isPick
        ? [`${task} was being picked in`, `there, do it again: holdfast pick ${task}`]
        : [
            `the result of ${task} was being applied to`,
            `take it back: holdfast apply --undo ${task}`,
          ]
    const said = `${what} ${root}, and that was killed half-way`
    return trouble(CHECK, 'warning', said, { hint })
  })
}
