import { existsSync } from 'node:fs'
import type { TaskId } from '../domain/ids.ts'
import type { Git } from './git.ts'

/** All that we write into a repository's refs lies below this. */
export const refOf = (task: string, what: 'base' | 'result') => `refs/holdfast/${task}/${what}`

/** See `Worktrees.dropBase`. One spawn; no ref, or no repository, is no error. */
export async function dropBase(git: Git, commonDir: string, task: TaskId): Promise<void> {
  if (!existsSync(commonDir)) return
  await git.run(['update-ref', '-d', refOf(task, 'base')], { place: { gitDir: commonDir } })
}

/** See `Worktrees.dropRefs`. */
export async function dropRefs(git: Git, commonDir: string, task: TaskId): Promise<void> {
  if (!existsSync(commonDir)) return
  const place = { gitDir: commonDir }
  const { stdout } = await git.run(
    ['for-each-ref', '--format=delete %(refname)', `refs/holdfast/${task}/`],
    { place },
  )
  if (stdout.length > 0) await git.run(['update-ref', '--stdin'], { place, input: stdout })
}
