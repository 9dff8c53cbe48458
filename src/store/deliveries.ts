/** The outbox and the inbox: what is owed, to whom, and what came of it. See `Outbox`. */
import type { Kysely } from 'kysely'
import { type Delivery, GIVE_WAY_MS, tidingsOf } from '../domain/delivery.ts'
import type { TaskId } from '../domain/ids.ts'
import type { NoticeEvent } from '../domain/notice.ts'
import type { Task, TaskRequest, TaskState, TaskStateName } from '../domain/task.ts'
import { activeStates, endedStates } from '../domain/task.ts'
import { deliveryFor } from '../domain/transitions.ts'
import type { DeadLetter, Owed } from '../ports/outbox.ts'
import { readSubscriber } from './columns.ts'
import type { Database, Db } from './schema.ts'

const INBOX = 'inbox'
/** What is not of the inbox. */
const CHANNELS = ['file', 'command', 'webhook', 'desktop', 'openclaw', 'claude']

interface Row {
  readonly id: string
  readonly task: string
  readonly event: string
  readonly created_at: number
  readonly attempts: number
}

const COLUMNS = ['id', 'task', 'event', 'created_at', 'attempts'] as const

/** Within the transaction of a transition: to the inbox of whoever asked, and to each subscriber. */
export async function oweDeliveries(db: Db, task: Task, to: TaskState, now: number): Promise<void> {
  const { id, notify } = task.request
  const owed = deliveryFor(task.state, to)
  if (owed !== undefined) await oweInbox(db, task.request, `${id}.${owed}`, to.name, now)
  const tidings = tidingsOf(task.state, to, task.attempts, now)
  if (tidings === undefined) return
  for (const [n, { to: subscriber, givesWay = false }] of notify.entries()) {
    const own = { id: `${id}.${tidings.key}.${n}`, event: tidings.event }
    const notBefore = givesWay ? now + GIVE_WAY_MS : null
    await insert(db, id, { ...own, channel: subscriber.kind, to: subscriber, notBefore }, now)
  }
}

/** To the inbox of whoever asked; once, however often it is said. */
export async function oweInbox(
  db: Db,
  { id: task, caller }: TaskRequest,
  id: string,
  event: TaskStateName,
  now: number,
): Promise<void> {
  await insert(db, task, { id, event, channel: INBOX, to: caller }, now)
}

/** Once a task has ended, and all that hung on it: tells those who asked for it by name. */
export async function oweAllIdle(db: Db, task: Task, now: number): Promise<void> {
  const { id, notify } = task.request
  if (!notify.some(({ isNamed }) => isNamed) || !(await isAllIdle(db))) return
  for (const [n, { to, isNamed }] of notify.entries()) {
    if (!isNamed) continue
    const own = { id: `${id}.all_idle.${n}`, event: 'all_idle' }
    await insert(db, id, { ...own, channel: to.kind, to }, now)
  }
}

/** What waits for a larger budget, and what waits for that, does not go on by itself. */
async function isAllIdle(db: Db): Promise<boolean> {
  const open = await db
    .selectFrom('tasks')
    .select('id')
    .where(eb =>
      eb.or([
        eb('state', 'in', ['queued', ...activeStates]),
        eb.and([eb('state', '=', 'waiting'), eb('wait_until', 'is not', null)]),
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  return open === undefined
}

/** A question that was answered, or whose task has ended, is nothing that anybody must know of. */
export async function withdrawQuestion(db: Db, task: Task, now: number): Promise<void> {
  if (task.state.name !== 'needs_input') return
  await db
    .updateTable('deliveries')
    .set({ state: 'acknowledged', acknowledged_at: now })
    .where('task', '=', task.request.id)
    .where('channel', '=', INBOX)
    .where('event', '=', 'needs_input')
    .where('state', '=', 'owed')
    .execute()
}

async function insert(
  db: Db,
  task: TaskId,
  one: { id: string; event: string; channel: string; to: object; notBefore?: number | null },
  now: number,
): Promise<void> {
  await db
    .insertInto('deliveries')
    .values({
      id: one.id,
      task,
      event: one.event,
      channel: one.channel,
      subscriber_json: JSON.stringify(one.to),
      state: 'owed',
      created_at: now,
      next_try_at: one.notBefore ?? null,
    })
    .onConflict(conflict => conflict.column('id').doNothing())
    .execute()
}

export async function listOwed(db: Db): Promise<readonly Owed[]> {
  const rows = await db
    .selectFrom('deliveries')
    .select(['channel', 'subscriber_json'])
    .select(eb => eb.fn.max('next_try_at').as('next_try_at'))
    .where('channel', 'in', CHANNELS)
    .where('state', '=', 'owed')
    .groupBy(['channel', 'subscriber_json'])
    .execute()
  return rows.map(row => ({
    key: row.subscriber_json,
    channel: row.channel,
    subscriber: readSubscriber(row.channel, row.subscriber_json),
    nextTryAt: row.next_try_at === null ? null : Number(row.next_try_at),
  }))
}

export async function listOwedTo(
  db: Db,
  { key, channel }: Owed,
  limit: number,
): Promise<readonly Delivery[]> {
  const rows = await db
    .selectFrom('deliveries')
    .select(COLUMNS)
    .where('channel', '=', channel)
    .where('state', '=', 'owed')
    .where('subscriber_json', '=', key)
    .orderBy('created_at')
    // That all is idle comes of the end that was written with it.
    .orderBy(({ eb }) => eb('event', '=', 'all_idle'))
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(readDelivery)
}

export async function recordSent(
  db: Kysely<Database>,
  ids: readonly string[],
  now: number,
): Promise<void> {
  await db
    .updateTable('deliveries')
    .set({ state: 'sent', sent_at: now, next_try_at: null, problem: null })
    .where('id', 'in', ids)
    .execute()
}

export async function recordUnsent(
  db: Kysely<Database>,
  ids: readonly string[],
  problem: string,
  nextTryAt: number | null,
): Promise<void> {
  await db
    .updateTable('deliveries')
    .set(eb => ({
      state: nextTryAt === null ? 'dead' : 'owed',
      next_try_at: nextTryAt,
      problem,
      attempts: eb('attempts', '+', 1),
    }))
    .where('id', 'in', ids)
    .execute()
}

export async function listDeadLetters(db: Db): Promise<readonly DeadLetter[]> {
  const rows = await db
    .selectFrom('deliveries')
    .select([...COLUMNS, 'channel', 'subscriber_json', 'problem'])
    .where('channel', 'in', CHANNELS)
    .where('state', '=', 'dead')
    .orderBy('created_at', 'desc')
    .execute()
  return rows.map(row => ({
    ...readDelivery(row),
    subscriber: readSubscriber(row.channel, row.subscriber_json),
    problem: row.problem ?? 'it is not known why',
  }))
}

export async function retryDeadLetters(db: Kysely<Database>): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('deliveries')
    .set({ state: 'owed', attempts: 0, next_try_at: null })
    .where('channel', 'in', CHANNELS)
    .where('state', '=', 'dead')
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

export async function dropDeadLetters(db: Kysely<Database>, now: number): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('deliveries')
    .set({ state: 'acknowledged', acknowledged_at: now })
    .where('channel', 'in', CHANNELS)
    .where('state', '=', 'dead')
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

export async function unlessAwaited(
  db: Kysely<Database>,
  tokenFile: string,
  forget: () => Promise<void>,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const names = (json: string) => json.includes(JSON.stringify(tokenFile))
    const owed = await transaction
      .selectFrom('deliveries')
      .select('subscriber_json as json')
      .where('channel', '=', 'claude')
      .where('state', '=', 'owed')
      .execute()
    const open = await transaction
      .selectFrom('tasks')
      .select('request_json as json')
      .where('state', 'not in', endedStates)
      .execute()
    if ([...owed, ...open].some(({ json }) => names(json))) return false
    await forget()
    return true
  })
}

export async function listInbox(
  db: Db,
  { task, limit }: { readonly task?: TaskId; readonly limit?: number },
): Promise<readonly Delivery[]> {
  let query = db
    .selectFrom('deliveries')
    .select(COLUMNS)
    .where('channel', '=', INBOX)
    .where('state', '=', 'owed')
    .orderBy('created_at', 'desc')
    .orderBy('id')
  if (task !== undefined) query = query.where('task', '=', task)
  if (limit !== undefined) query = query.limit(limit)
  return (await query.execute()).map(readDelivery)
}

/** So many at once: SQLite takes no more values than some thousands. */
const AT_ONCE = 500

export async function acknowledge(
  db: Kysely<Database>,
  ids: readonly string[],
  now: number,
): Promise<number> {
  return await db.transaction().execute(async transaction => {
    let count = 0
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const { numUpdatedRows } = await transaction
        .updateTable('deliveries')
        .set({ state: 'acknowledged', acknowledged_at: now })
        .where('id', 'in', ids.slice(from, from + AT_ONCE))
        .where('channel', '=', INBOX)
        .where('state', '=', 'owed')
        .executeTakeFirst()
      count += Number(numUpdatedRows)
      await withdrawThoseThatGiveWay(transaction, ids.slice(from, from + AT_ONCE), now)
    }
    return count
  })
}

/** Whoever waited has it: that it is told besides was put off, and is not needed. */
async function withdrawThoseThatGiveWay(
  db: Db,
  taken: readonly string[],
  now: number,
): Promise<void> {
  await db
    .updateTable('deliveries as push')
    .set({ state: 'acknowledged', acknowledged_at: now })
    .where('channel', 'in', CHANNELS)
    .where('state', '=', 'owed')
    // What was tried in vain is put off too.
    .where('attempts', '=', 0)
    .where('next_try_at', 'is not', null)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('deliveries as entry')
          .select('entry.id')
          .where('entry.id', 'in', taken)
          .whereRef('entry.task', '=', 'push.task')
          .whereRef('entry.event', '=', 'push.event'),
      ),
    )
    .execute()
}

function readDelivery({ id, task, event, created_at, attempts }: Row): Delivery {
  return {
    id,
    task: task as TaskId,
    event: event as NoticeEvent,
    createdAt: Number(created_at),
    attempts,
  }
}
