/** Hands in what is to be opened, runs it at this terminal once the worker offers it, and tells its end. */

import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { asFence, type TaskId } from '../../domain/ids.ts'
import { hasEnded, resultOf, type Task } from '../../domain/task.ts'
import type { HandInPlan } from '../../engine/hand-in.ts'
import type { Offer } from '../../ports/process-host.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { askForEnds } from '../end-tasks.ts'
import { lookAtTask, ringOrTell } from '../look.ts'
import { handInPlanned } from '../submit.ts'
import { tellLeftOut } from '../tell-left-out.ts'
import { POLL_MS, waitForTasks } from '../wait-for.ts'
import type { CommandContext } from './command.ts'
import { exitCodeOfState, signalExitCode } from './exit-codes.ts'
import { describeBase, describeDelta, describePermissions, describeSetUp } from './render.ts'

const SIGHUP = constants.signals.SIGHUP
/** A worker that was killed is started again in two seconds. */
const LOOKS_PER_RING = 100
const FIRST = asFence(1)

/** The exit code. */
export async function openHere(
  plan: HandInPlan,
  { json }: { readonly json?: true },
  context: CommandContext,
): Promise<number> {
  const { output, holdfast } = context
  // From here on a signal waits: what was handed in is either opened or taken back.
  const { interrupted } = context
  const { task } = await handInPlanned(plan, context)
  const { id, name, base, setUp, permissions } = task.request
  for (const line of base.changes?.leftOut ?? []) output.tell(`left out: ${line}`)
  for (const line of describeSetUp(setUp)) output.tell(line)
  output.tell(`${id} ${name}: ${describeBase(base)}; ${describePermissions(permissions)}`)
  if (permissions.effective === 'full' && permissions.asked !== 'full') {
    output.tell('  nothing holds it but what it asks you')
  }
  await ringOrTell(context)
  const offer = await untilOffered(id, context)
  if (offer !== null) {
    const runDirectory = (await holdfast.files()).runDirectory(id, FIRST)
    const end = await (await holdfast.host()).runAtTerminal(runDirectory, offer)
    // There is no terminal any more to tell anything.
    if (end === 'hung_up') return signalExitCode(SIGHUP)
    // What was typed there was not for us.
    return await tellEnd(task, json === true, withSignalsAnew(context))
  }
  if (interrupted.aborted) {
    // It was never begun, or nobody is there to see it.
    await askForEnds([task], { tree: false, lost: false }, context)
    await ringOrTell(context)
    return await tellEnd(task, json === true, withSignalsAnew(context))
  }
  return await tellEnd(task, json === true, context)
}

/** The next signal counts, whatever came before. */
function withSignalsAnew(context: CommandContext): CommandContext {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(constants.signals[name]))
  }
  return Object.create(context, { interrupted: { value: controller.signal } })
}

/** Null: it ended before it could be opened, or the user does not wait any longer. */
async function untilOffered(id: TaskId, context: CommandContext): Promise<Offer | null> {
  const { holdfast, interrupted } = context
  const [store, files, host] = [
    await holdfast.store(),
    await holdfast.files(),
    await holdfast.host(),
  ]
  const runDirectory = files.runDirectory(id, FIRST)
  const presence = await holdfast.presence()
  for (let looks = 0; !interrupted.aborted; looks++) {
    const offer = await host.takeOffer(runDirectory)
    if (offer !== undefined) return offer
    const task = await store.findTask(id)
    if (task === undefined || hasEnded(task.state)) return null
    if (looks % LOOKS_PER_RING === LOOKS_PER_RING - 1 && presence.look() === undefined) {
      await ringOrTell(context)
    }
    await sleep(POLL_MS)
  }
  return null
}

async function tellEnd({ request: { id } }: Task, json: boolean, context: CommandContext) {
  const { output } = context
  const { tasks, end } = await waitForTasks([id], {}, context)
  const [task] = tasks
  if (task === undefined || typeof end === 'object') {
    output.tell(`${id}: what was done is being collected; see it with: holdfast status ${id}`)
    return typeof end === 'object' ? signalExitCode(end.interrupted) : exitCodeOfState('failed')
  }
  const { state } = task
  if (json) output.writeJson(await lookAtTask(task, context))
  if (state.name === 'failed') {
    output.tell(`failed (${state.failure.code}): ${state.failure.message}`)
    if (state.failure.hint !== undefined) output.tell(`  ${state.failure.hint}`)
  }
  const result = resultOf(state)
  if (result !== null) {
    const next = result.files === 0 ? '' : ` · holdfast diff ${id} · holdfast apply ${id}`
    output.tell(`${id} ${describeDelta(result)}${next}`)
    if (result.commit !== null) tellLeftOut(result, output)
  }
  await acknowledgeShown(tasks, context)
  return exitCodeOfState(state.name)
}
