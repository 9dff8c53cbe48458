import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskEvent } from '../domain/agent-events.ts'
import type { TaskId } from '../domain/ids.ts'
import { hasEnded } from '../domain/task.ts'
import type { SurfaceContext } from './context.ts'
import { eventPages } from './event-pages.ts'
import { POLL_MS } from './wait-for.ts'

/**
 * A task's log from after a sequence number, in order and without a gap, as it grows: to the end of
 * the task, or until the caller does not wait any longer. Whoever was cut off goes on from the last
 * number seen.
 */
export async function* followEvents(
  id: TaskId,
  after: number,
  { holdfast, interrupted }: SurfaceContext,
): AsyncGenerator<TaskEvent, void> {
  const store = await holdfast.store()
  let seen = after
  while (!interrupted.aborted) {
    const counter = store.changeCounter()
    // Asked first: what was written before its end is then read below.
    const task = await store.findTask(id)
    for await (const page of eventPages(store, id, seen)) {
      for (const event of page) {
        seen = event.seq
        yield event
      }
    }
    if (task === undefined || hasEnded(task.state)) return
    while (!interrupted.aborted && store.changeCounter() === counter) await sleep(POLL_MS)
  }
}
