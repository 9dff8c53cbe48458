import { resolve } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { chooseTarget } from '../../../engine/choose-target.ts'
import { pickTask } from '../../../engine/pick.ts'
import { unpickTask } from '../../../engine/unpick.ts'
import type { PickOutcome } from '../../../ports/applications.ts'
import { callerTaskOf } from '../../caller.ts'
import { requireTask } from '../../find-task.ts'
import { branchPorts } from '../../hand-in-ports.ts'
import { holdSignals } from '../../hold-signals.ts'
import { tellLeftOut } from '../../tell-left-out.ts'
import type { PickView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import type { Output } from '../output.ts'
import { countFiles, showChanges } from '../show-changes.ts'
import { writeAndTell } from '../write-and-tell.ts'

const usage = 'pick TASK [--to DIR] [--cancel] | pick --undo TASK'

export const pick = defineCommand({
  name: 'pick',
  group: 'Take',
  summary: 'Commit what the agent changed on top of your HEAD, and nothing of yours',
  usage,
  flags: {
    to: { about: 'a directory of another checkout (default: yours)', value: 'DIR' },
    cancel: { about: 'of a group: end the others that are still at work' },
    undo: { about: 'take it back: HEAD, index and files as they were before' },
    ...jsonFlag,
  },
  examples: ['holdfast pick fix-the-login', 'holdfast pick fix-the-login-codex --cancel'],
  async run({ flags: given, words }, context) {
    const { holdfast, output } = context
    const applications = await holdfast.applications()
    const ports = { ...(await branchPorts(context)), applications }
    const task = await requireTask(ports.store, requireWord(words, 'TASK', usage))
    const waits = holdSignals(context)
    const isJson = given.json === true
    if (given.undo === true) {
      refuseBeside(given)
      return await writeAndTell(() => giveBack(task, waits, ports), isJson, showBack, context)
    }
    const target = await openTarget(task, given.to ?? '.', context, ports)
    const { root } = target.place
    output.tell(`picking in ${root}`)
    if (hasEnded(task.state) && task.state.result !== null) tellLeftOut(task.state.result, output)
    const work = async () => {
      const picked = viewPicked(
        task.request.id,
        root,
        await pickTask(task, { target, ...waits }, ports),
      )
      return { ...picked, others: await passOver(task, given.cancel === true, context) }
    }
    return await writeAndTell(work, isJson, show, context)
  },
})

function refuseBeside(given: { readonly to?: string; readonly cancel?: true }): void {
  const flag = given.to === undefined ? given.cancel && 'cancel' : 'to'
  if (flag === undefined) return
  throw new AppError('bad_usage', `--${flag} does nothing with --undo`, {
    hint: 'it is taken back where it was picked',
  })
}

/** Loaded only for a group: it takes worktrees away. */
async function passOver(
  task: Task,
  cancel: boolean,
  context: CommandContext,
): Promise<PickView['others']> {
  if (task.request.group === null) return []
  const { passOverOthers } = await import('../../pass-over.ts')
  return await passOverOthers(task, cancel, context)
}

async function giveBack(
  task: Task,
  waits: Parameters<typeof unpickTask>[1],
  ports: Parameters<typeof unpickTask>[2],
): Promise<PickView> {
  const { id } = task.request
  const { root, files, others } = await unpickTask(task, waits, ports)
  return {
    ...nothingPicked(id, root),
    state: 'given_back',
    files: [...files],
    others: others.map(({ request }) => ({
      id: request.id,
      name: request.name,
      became: 'listed',
      why: null,
    })),
  }
}

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

function nothingPicked(id: string, to: string) {
  return { id, to, commit: null, commits: 0, from: null, branch: null, files: [], undo: null }
}

function viewPicked(id: string, to: string, outcome: PickOutcome): PickView {
  if (outcome.kind === 'in_place') {
    return { ...nothingPicked(id, to), state: 'in_place', others: [] }
  }
  const { commit, commits, from, branch, files } = outcome
  const undo = `holdfast pick --undo ${id}`
  const moved = { commit, commits, from, branch, files: [...files] }
  return { id, to, state: 'picked', ...moved, undo, others: [] }
}

function show(view: PickView, output: Output): void {
  showChanges({ ...view, conflicts: [] }, output)
  const { id, commit, commits, branch, files, undo } = view
  if (commit === null) output.tell(`already picked: HEAD has all that ${id} changed`)
  else {
    const what = commits === 1 ? `commit ${commit}` : `${commits} commits, up to ${commit}`
    output.tell(`picked onto ${branch ?? 'HEAD, which is detached'}: ${countFiles(files)}, ${what}`)
    output.tell(`to undo it: ${undo}`)
  }
  for (const other of view.others) output.tell(describeOther(other))
}

function showBack(view: PickView, output: Output): void {
  const { id, to, files, others } = view
  showChanges({ ...view, conflicts: [] }, output)
  output.tell(`given back: HEAD of ${to} is where it was before ${id}: ${countFiles(files)}`)
  for (const other of others) output.tell(describeOther(other))
}

function describeOther({ id, name, became, why }: PickView['others'][number]): string {
  switch (became) {
    case 'put_away':
      return `not picked: ${name}; its worktree comes back with: holdfast restore ${id}`
    case 'archived':
    case 'cancelled':
      return `not picked: ${name}${became === 'cancelled' ? ', which is about to end' : ''}`
    case 'goes_on':
      return `not picked: ${name}, which goes on; to end it: holdfast cancel ${id}`
    case 'stays':
      return `not picked: ${name}; its worktree stays: ${why}`
    case 'listed':
      return `listed again: ${name}; if its worktree was put away: holdfast restore ${id}`
  }
}
