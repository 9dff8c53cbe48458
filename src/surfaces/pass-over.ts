/** What becomes of the rest of a group once one of it was picked. */
import { hasEnded, type Task } from '../domain/task.ts'
import { otherMembers, passOver } from '../engine/pass-over.ts'
import type { SurfaceContext } from './context.ts'
import { askForEnds, awaitEnds } from './end-tasks.ts'
import { putAwayPorts } from './hand-in-ports.ts'
import type { PickView } from './view.ts'

/** `cancel`: those that are still at work are to end. */
export async function passOverOthers(
  task: Task,
  cancel: boolean,
  context: SurfaceContext,
): Promise<PickView['others']> {
  const ports = await putAwayPorts(context)
  const open = (await otherMembers(task, ports)).filter(({ state }) => !hasEnded(state))
  if (cancel && open.length > 0) {
    const { going } = await askForEnds(open, { tree: false, lost: false }, context)
    await awaitEnds(going, context)
  }
  const passed = await passOver(task, await otherMembers(task, ports), ports)
  // What was put away is unlinked by the worker; a later one does it as well.
  if (passed.length > 0) await (await context.holdfast.presence()).ring().catch(() => undefined)
  return passed.map(({ task: { request }, became, why }) => ({
    id: request.id,
    name: request.name,
    became: became === 'goes_on' && cancel ? 'cancelled' : became,
    why,
  }))
}
