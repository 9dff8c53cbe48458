/** The log of a task: one line after the other, numbered without gaps. */
import type { AgentEvent, TaskEvent, TaskNote } from '../domain/agent-events.ts'
import type { Fence, TaskId } from '../domain/ids.ts'
import { readEventBody } from './columns.ts'
import type { Db } from './schema.ts'

/** SQLite binds at most 32,766 values in one statement; six are bound for a line. */
const LINES_PER_INSERT = 500

export async function insertEvents(
  db: Db,
  task: TaskId,
  fence: Fence | null,
  bodies: readonly (AgentEvent | TaskNote)[],
  at: number,
): Promise<void> {
  if (bodies.length === 0) return
  const { last_seq } = await db
    .updateTable('tasks')
    .set(eb => ({ last_seq: eb('last_seq', '+', bodies.length) }))
    .where('id', '=', task)
    .returning('last_seq')
    .executeTakeFirstOrThrow()
  const first = last_seq - bodies.length + 1
  const rows = bodies.map((body, index) => ({
    task,
    seq: first + index,
    at,
    fence,
    kind: body.kind,
    body_json: JSON.stringify(body),
  }))
  for (let i = 0; i < rows.length; i += LINES_PER_INSERT) {
    await db
      .insertInto('events')
      .values(rows.slice(i, i + LINES_PER_INSERT))
      .execute()
  }
}

export async function insertNote(
  db: Db,
  task: TaskId,
  fence: Fence | null,
  kind: TaskNote['kind'],
  text: string,
  at: number,
): Promise<void> {
  await insertEvents(db, task, fence, [{ kind, text }], at)
}

export async function listEvents(
  db: Db,
  task: TaskId,
  after: number,
  limit: number,
): Promise<readonly TaskEvent[]> {
  const rows = await db
    .selectFrom('events')
    .selectAll()
    .where('task', '=', task)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(row => ({
    seq: row.seq,
    at: Number(row.at),
    fence: row.fence,
    body: readEventBody(row.body_json),
  }))
}
