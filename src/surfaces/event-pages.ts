import type { TaskEvent } from '../domain/agent-events.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Store } from '../ports/store.ts'

const EVENTS_AT_ONCE = 500

/** A task's log from after a sequence number to its end, a page at a time: a log may be long. */
export async function* eventPages(
  store: Store,
  id: TaskId,
  after: number,
): AsyncGenerator<readonly TaskEvent[]> {
  for (let last: number | undefined = after; last !== undefined; ) {
    const page = await store.listEvents(id, last, EVENTS_AT_ONCE)
    if (page.length > 0) yield page
    last = page.at(-1)?.seq
  }
}
