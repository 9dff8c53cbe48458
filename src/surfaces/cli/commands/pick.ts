import { resolve } from 'node:path'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { chooseTarget } from '../../../engine/choose-target.ts'
import { pickTask } from '../../../engine/pick.ts'
import type { Application, PickOutcome } from '../../../ports/applications.ts'
import { callerTaskOf } from '../../caller.ts'
import { describeMended } from '../../describe-mended.ts'
import { requireTask } from '../../find-task.ts'
import { branchPorts } from '../../hand-in-ports.ts'
import { tellLeftOut } from '../../tell-left-out.ts'
import type { PickView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import type { Output } from '../output.ts'
import { countFiles, showChanges } from '../show-changes.ts'
import { writeAndTell } from '../write-and-tell.ts'

const usage = 'pick TASK [--to DIR]'

export const pick = defineCommand({
  name: 'pick',
  group: 'Take',
  summary: 'Commit what the agent changed on top of your HEAD, and nothing of yours',
  usage,
  flags: {
    to: { about: 'a directory of another checkout (default: yours)', value: 'DIR' },
    ...jsonFlag,
  },
  examples: ['holdfast pick fix-the-login'],
  async run({ flags: given, words }, context) {
    const { holdfast, output, interrupted } = context
    const applications = await holdfast.applications()
    const ports = { ...(await branchPorts(context)), applications }
    const task = await requireTask(ports.store, requireWord(words, 'TASK', usage))
    const target = await openTarget(task, given.to ?? '.', context, ports)
    const { root } = target.place
    output.tell(`picking in ${root}`)
    if (hasEnded(task.state) && task.state.result !== null) tellLeftOut(task.state.result, output)
    // From here on a signal waits: until the first file is written it stops all, and then nothing.
    const onMended = (mended: Application) => output.tell(describeMended(mended))
    const wish = { target, isStopped: () => interrupted.aborted, onMended }
    const work = async () => viewPicked(task.request.id, root, await pickTask(task, wish, ports))
    return await writeAndTell(work, given.json === true, show, context)
  },
})

/** HEAD moves only where the user stands, or says so. */
async function openTarget(
  task: Task,
  to: string,
  { caller, directory }: CommandContext,
  ports: Parameters<typeof chooseTarget>[2],
) {
  const callerTask = callerTaskOf(caller)
  return await chooseTarget(task, { to: resolve(directory, to), directory, callerTask }, ports)
}

function viewPicked(id: string, to: string, outcome: PickOutcome): PickView {
  if (outcome.kind === 'in_place') {
    return {
      id,
      to,
      state: 'in_place',
      commit: null,
      commits: 0,
      from: null,
      branch: null,
      files: [],
      undo: null,
    }
  }
  const { commit, commits, from, branch, files, hasStaged } = outcome
  // `git reset` would unstage whatever else is staged.
  const undo = hasStaged
    ? `git read-tree -m -u HEAD ${from} && git update-ref HEAD ${from}`
    : `git reset --keep ${from}`
  return { id, to, state: 'picked', commit, commits, from, branch, files: [...files], undo }
}

function show(view: PickView, output: Output): void {
  showChanges({ ...view, conflicts: [] }, output)
  const { id, commit, commits, branch, files, undo } = view
  if (commit === null) {
    output.tell(`already picked: HEAD has all that ${id} changed`)
    return
  }
  const what = commits === 1 ? `commit ${commit}` : `${commits} commits, up to ${commit}`
  output.tell(`picked onto ${branch ?? 'HEAD, which is detached'}: ${countFiles(files)}, ${what}`)
  output.tell(`to undo it: ${undo}`)
}
