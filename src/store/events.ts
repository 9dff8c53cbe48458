/** The log of a task: one line after the other, numbered without gaps. */
import type { TaskEvent, TaskNote } from '../domain/agent-events.ts'
import type { Fence, TaskId } from '../domain/ids.ts'
import { readEventBody } from './columns.ts'
import type { Db } from './schema.ts'

/** A line of ours, under the next number. */
export async function insertNote(
  db: Db,
  task: TaskId,
  fence: Fence | null,
  kind: TaskNote['kind'],
  text: string,
  at: number,
): Promise<void> {
  const { last_seq } = await db
    .updateTable('tasks')
    .set(eb => ({ last_seq: eb('last_seq', '+', 1) }))
    .where('id', '=', task)
    .returning('last_seq')
    .executeTakeFirstOrThrow()
  await db
    .insertInto('events')
    .values({ task, seq: last_seq, at, fence, kind, body_json: JSON.stringify({ kind, text }) })
    .execute()
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
