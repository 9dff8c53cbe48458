/** What is owed to whoever asked, and taking note of it. */
import { type Delivery, makeNotice } from '../domain/delivery.ts'
import { AppError } from '../domain/errors.ts'
import type { Task } from '../domain/task.ts'
import { isRowTrouble } from '../engine/trouble.ts'
import type { Store } from '../ports/store.ts'
import { isSameCaller } from './caller.ts'
import type { SurfaceContext } from './context.ts'
import { requireTasks } from './find-task.ts'
import { viewCaller } from './make-view.ts'
import type { InboxView } from './view.ts'
import { requireWritableStore } from './writable-store.ts'

/** One entry, and the task that it tells of. */
export interface Entry {
  readonly delivery: Delivery
  readonly task: Task
}

/** `mine`: only what this caller asked for. */
export async function listInbox(mine: boolean, context: SurfaceContext): Promise<readonly Entry[]> {
  const { caller, output } = context
  const store = await context.holdfast.store()
  const entries: Entry[] = []
  for (const delivery of await store.listInbox({})) {
    const task = await findReadable(store, delivery)
    if (task === undefined) output.tell(`holdfast: the row of ${delivery.task} is damaged`)
    else entries.push({ delivery, task })
  }
  if (!mine) return entries
  if (caller.id === null) {
    throw new AppError(
      'bad_usage',
      `nothing tells this ${caller.kind} from others: there is no saying what is its own`,
      {
        hint: 'holdfast inbox lists what all have asked for',
      },
    )
  }
  return entries.filter(({ task }) => isSameCaller(task.request.caller, caller))
}

/** One damaged row may not hide the others. */
async function findReadable(store: Store, { task }: Delivery): Promise<Task | undefined> {
  try {
    return await store.findTask(task)
  } catch (error) {
    if (isRowTrouble(error)) return undefined
    throw error
  }
}

/** How many were taken note of. `words`: tasks, or ids of deliveries. */
export async function acknowledgeNamed(
  words: readonly string[],
  context: SurfaceContext,
): Promise<number> {
  const store = await requireWritableStore(context)
  const all = await store.listInbox({})
  const ids: string[] = []
  for (const word of words) {
    if (all.some(({ id }) => id === word)) ids.push(word)
    else {
      const named = new Set((await requireTasks(store, [word])).map(({ request }) => request.id))
      ids.push(...all.filter(({ task }) => named.has(task)).map(delivery => delivery.id))
    }
  }
  return await store.acknowledge(ids, context.now())
}

/** How many were taken note of. */
export async function acknowledgeEntries(
  entries: readonly Entry[],
  context: SurfaceContext,
): Promise<number> {
  const store = await requireWritableStore(context)
  return await store.acknowledge(
    entries.map(({ delivery }) => delivery.id),
    context.now(),
  )
}

export function viewEntry({ delivery, task }: Entry): InboxView['deliveries'][number] {
  const { id, event, at, task: about, command } = makeNotice(delivery, task)
  if (about === null) throw new Error('what is in the inbox is of a task')
  return {
    id,
    event,
    at: new Date(at).toISOString(),
    task: about,
    caller: viewCaller(task.request.caller),
    command,
  }
}
