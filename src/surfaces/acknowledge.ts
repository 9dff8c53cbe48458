import { messageOf } from '../domain/errors.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import type { SurfaceContext } from './context.ts'

/**
 * That their ends, and what they ask, were shown: called once stdout has taken all of it. Whoever
 * was shown something need not fail because that could not be written down.
 */
export async function acknowledgeShown(
  tasks: readonly Task[],
  { holdfast, output, now }: SurfaceContext,
): Promise<void> {
  const shown = tasks.filter(({ state }) => hasEnded(state) || state.name === 'needs_input')
  const store = await holdfast.store()
  if (shown.length === 0 || store.isReadOnly) return
  try {
    for (const { request } of shown) {
      const owed = await store.listInbox({ task: request.id })
      if (owed.length > 0) {
        await store.acknowledge(
          owed.map(({ id }) => id),
          now(),
        )
      }
    }
  } catch (error) {
    output.tell(`holdfast: it stays in the inbox: ${messageOf(error)}`)
  }
}
