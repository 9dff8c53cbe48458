/** The second half of a `run` that hands in a group: does it, tells of it, and may stay with it. */
import { reach } from '../../domain/crash-points.ts'
import { messageOf } from '../../domain/errors.ts'
import { nameOfGroup } from '../../domain/group.ts'
import type { TaskId } from '../../domain/ids.ts'
import { askedBy, hasEnded, type Task } from '../../domain/task.ts'
import { findAsked } from '../../engine/answer.ts'
import type { HandInPlan } from '../../engine/hand-in.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { ringOrTell } from '../look.ts'
import { compareGroup, lookAtGroup } from '../look-at-group.ts'
import { handInTasks } from '../submit.ts'
import { waitForTasks } from '../wait-for.ts'
import { askHere, tellQuestion } from './ask-here.ts'
import type { CommandContext } from './command.ts'
import { exitCodeOfState, exitCodes, signalExitCode, worstExitCode } from './exit-codes.ts'
import type { Asked } from './hand-in-and-tell.ts'
import { describeBase, describeNamed, describePermissions, describeSetUp } from './render.ts'
import { renderComparison } from './render-group.ts'

type Plans = readonly HandInPlan[] | { readonly handedInBefore: readonly Task[] }

/** The exit code. */
export async function handInGroupAndTell(
  plans: Plans,
  asked: Asked,
  context: CommandContext,
): Promise<number> {
  const { output, interrupted } = context
  const handedIn = await handInOrStop(plans, context)
  if (handedIn === null) return signalExitCode(Number(interrupted.reason))
  const { tasks, isNew } = handedIn
  const [first] = tasks
  const group = first?.request.group
  if (first === undefined || group == null) throw new Error('a group has tasks')
  const name = nameOfGroup(group)
  if (!isNew) output.tell(`it was handed in before, under the same key: ${tasks.length} tasks`)
  const { base, setUp, verify } = first.request
  for (const line of base.changes?.leftOut ?? []) output.tell(`left out: ${line}`)
  for (const line of describeSetUp(setUp)) output.tell(line)
  for (const line of describeNamed(verify)) output.tell(line)
  await ringOrTell(context)
  reach('submission.rung')
  if (asked.wait === true) return await waitAndTell(tasks, name, asked, context)
  // Somebody should get to know the tasks, also where stdout takes nothing.
  output.tell(`${name}: ${tasks.length} tasks on one base; ${describeBase(base)}`)
  for (const { request } of tasks) {
    output.tell(`  ${request.id} ${request.name}: ${describePermissions(request.permissions)}`)
  }
  if (asked.json === true) output.writeJson(await lookAtGroup(tasks, context))
  else output.write(`${group}\n`)
  output.tell(`next: holdfast wait ${name} · holdfast diff ${name} · holdfast pick TASK`)
  reach('submission.id-written')
  if (!interrupted.aborted) return exitCodes.done
  output.tell(`interrupted; ${name} was handed in, and goes on`)
  return signalExitCode(Number(interrupted.reason))
}

/** Null: a signal came before it was handed in. */
async function handInOrStop(plans: Plans, context: CommandContext) {
  if ('handedInBefore' in plans) return { tasks: plans.handedInBefore, isNew: false }
  // From here on a signal waits: it may not leave half a group, nor one whose name nobody knows.
  const { interrupted, output } = context
  try {
    return await handInTasks(plans, context)
  } catch (error) {
    if (!interrupted.aborted) throw error
    output.tell(`interrupted before it was handed in: ${messageOf(error)}`)
    return null
  }
}

/** Until all have ended, or ask; then they are shown side by side. */
async function waitAndTell(
  tasks: readonly Task[],
  name: string,
  asked: Asked,
  context: CommandContext,
): Promise<number> {
  const { output } = context
  for (const { request } of tasks) output.tell(`${request.id} ${request.name}`)
  const ids = tasks.map(({ request }) => request.id)
  const ended = await untilAllAreOver(ids, context)
  if ('interrupted' in ended) {
    output.tell(`detached; the tasks go on. Come back with: holdfast wait ${name}`)
    return signalExitCode(ended.interrupted)
  }
  if (asked.json === true) output.writeJson(await lookAtGroup(ended, context))
  else output.write(`${renderComparison(await compareGroup(ended, context), output)}\n`)
  output.tell(`next: holdfast diff TASK · holdfast pick TASK`)
  await acknowledgeShown(ended, context)
  return worstExitCode(ended.map(({ state }) => exitCodeOfState(state.name)))
}

/**
 * What one of them asks is asked here, where somebody sits at a terminal; else it is told at once, for
 * whoever answers it elsewhere. Either way the wait goes on.
 */
async function untilAllAreOver(
  ids: readonly TaskId[],
  context: CommandContext,
): Promise<readonly Task[] | { readonly interrupted: number }> {
  const store = await context.holdfast.store()
  const { interrupted } = context
  const over = new Map<TaskId, Task>()
  for (let open = ids; open.length > 0; ) {
    const { tasks, end } = await waitForTasks(open, { any: true }, context)
    if (typeof end === 'object') return end
    for (const task of tasks) {
      const { request, state } = task
      if (hasEnded(state)) over.set(request.id, task)
      if ((await findAsked(task, store)) === null) continue
      if (await askHere(task, context, request.name)) continue
      if (interrupted.aborted) return { interrupted: Number(interrupted.reason) }
      tellQuestion(task, context, request.name)
      over.set(request.id, task)
    }
    open = ids.filter(id => !over.has(id))
    if (open.length > 0) continue
    for (const before of [...over.values()].filter(({ state }) => !hasEnded(state))) {
      const { id } = before.request
      const now = await store.findTask(id)
      const asked = now === undefined ? null : await findAsked(now, store)
      if (now === undefined || asked?.name === askedBy(before)?.name) continue
      over.delete(id)
      open = [...open, id]
    }
  }
  return ids.flatMap(id => over.get(id) ?? [])
}
