/** What was said to tasks, and what their agents have heard of it. */
import { type Kysely, type Selectable, sql } from 'kysely'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import { hasEnded, type Idempotency, type Task } from '../domain/task.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import { insertNote } from './events.ts'
import type { Database, Db } from './schema.ts'
import { fenceOf, findTask, findTwin } from './tasks.ts'

/** See `Store.recordMessage`. */
export async function recordMessage(
  db: Kysely<Database>,
  id: TaskId,
  text: string,
  now: number,
  idempotency: Idempotency | null = null,
): Promise<Message | undefined> {
  return await db.transaction().execute(async transaction => {
    const before = idempotency === null ? undefined : await findSaid(transaction, idempotency)
    if (before !== undefined) return before.message
    // A task that follows was handed in with it.
    if (idempotency !== null && (await findTwin(transaction, idempotency)) !== undefined) {
      return undefined
    }
    const task = await findTask(transaction, id)
    if (task === undefined || hasEnded(task.state) || task.state.name === 'cancelling') {
      return undefined
    }
    return await insertMessage(transaction, task, text, now, idempotency)
  })
}

/** Within a transaction; the task has not ended. */
export async function insertMessage(
  db: Db,
  task: Task,
  text: string,
  now: number,
  idempotency: Idempotency | null = null,
): Promise<Message> {
  const { id } = task.request
  const { newest } = await db
    .selectFrom('messages')
    .select(eb => eb.fn.max('number').as('newest'))
    .where('task', '=', id)
    .executeTakeFirstOrThrow()
  const number = Number(newest ?? 0) + 1
  await db
    .insertInto('messages')
    .values({
      task: id,
      number,
      text,
      sent_at: now,
      idempotency_key: idempotency?.key ?? null,
      fingerprint: idempotency?.fingerprint ?? null,
    })
    .execute()
  const fence = task.attempts === 0 ? null : fenceOf(task)
  await insertNote(db, id, fence, 'message_sent', text, now)
  reach('message.written')
  return { number, text, sentAt: now, launchedWith: null, heardAt: null }
}

export async function listMessages(db: Db, task: TaskId): Promise<readonly Message[]> {
  const rows = await db
    .selectFrom('messages')
    .selectAll()
    .where('task', '=', task)
    .orderBy('number')
    .execute()
  return rows.map(readMessage)
}

/** See `Store.findSaid`. */
export async function findSaid(
  db: Db,
  { key, fingerprint }: Idempotency,
): Promise<{ readonly task: TaskId; readonly message: Message } | undefined> {
  const row = await db
    .selectFrom('messages')
    .selectAll()
    .where('idempotency_key', '=', key)
    .executeTakeFirst()
  if (row === undefined) return undefined
  if (row.fingerprint === fingerprint) {
    return { task: row.task as TaskId, message: readMessage(row) }
  }
  throw new AppError(
    'idempotency_conflict',
    `the key "${key}" was used to tell ${row.task} something else`,
    {
      hint: 'choose another key for another request',
    },
  )
}

function readMessage(row: Selectable<Database['messages']>): Message {
  return {
    number: row.number,
    text: row.text,
    sentAt: Number(row.sent_at),
    launchedWith: row.launched_with,
    heardAt: row.heard_at === null ? null : Number(row.heard_at),
  }
}

/** See `Store.launchWithMessages`. */
export async function launchWithMessages(
  db: Kysely<Database>,
  { task, fence }: ClaimedAttempt,
): Promise<readonly Message[] | undefined> {
  return await db.transaction().execute(async transaction => {
    if (!(await isCurrent(transaction, task, fence))) return undefined
    await transaction
      .updateTable('messages')
      .set({ launched_with: fence })
      .where('task', '=', task)
      .where('heard_at', 'is', null)
      .execute()
    const all = await listMessages(transaction, task)
    return all.filter(({ launchedWith, heardAt }) => launchedWith === fence && heardAt === null)
  })
}

/** See `Store.recordHeard`. */
export async function recordHeard(
  db: Kysely<Database>,
  { task, fence }: ClaimedAttempt,
  numbers: readonly number[],
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    if (!(await isCurrent(transaction, task, fence))) return false
    for (const number of numbers) {
      const { numUpdatedRows } = await transaction
        .updateTable('messages')
        .set({ heard_at: now })
        .where('task', '=', task)
        .where('number', '=', number)
        .where('heard_at', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) continue
      await insertNote(transaction, task, fence, 'message_heard', `message ${number}`, now)
    }
    return true
  })
}

/** Whether something was said that the agent has not heard yet. */
export async function isAnythingUnheard(db: Db, task: TaskId): Promise<boolean> {
  const row = await db
    .selectFrom('messages')
    .select('number')
    .where('task', '=', task)
    .where('heard_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Its session is lost, and with it what was heard there. */
export async function forgetHeard(db: Db, task: TaskId): Promise<void> {
  await db
    .updateTable('messages')
    .set({ heard_at: null, launched_with: null })
    .where('task', '=', task)
    .execute()
}

async function isCurrent(db: Db, task: TaskId, fence: number): Promise<boolean> {
  const { rows } =
    await sql`SELECT 1 FROM tasks WHERE id = ${task} AND attempts = ${fence}`.execute(db)
  return rows.length > 0
}
