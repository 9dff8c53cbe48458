/** The log of a task: one line after the other, numbered without gaps. */
import type { AgentEvent, TaskEvent, TaskNote } from '../domain/agent-events.ts'
import type { Fence, TaskId } from '../domain/ids.ts'
import { readEventBody } from './columns.ts'
import type { Db } from './schema.ts'

/**
 * Rows are inserted in a few sizes only: each is a statement of its own, which is prepared once and
 * kept. SQLite binds at most 32,766 values in one statement, six of them for a line.
 */
const INSERT_SIZES = [256, 32, 4, 1]

/** Writes lines under numbers that were set aside for them, from `first` on. */
export async function insertEvents(
  db: Db,
  task: TaskId,
  fence: Fence | null,
  bodies: readonly (AgentEvent | TaskNote)[],
  first: number,
  at: number,
): Promise<void> {
  const rows = bodies.map((body, index) => ({
    task,
    seq: first + index,
    at,
    fence,
    kind: body.kind,
    body_json: JSON.stringify(body),
  }))
  for (let done = 0; done < rows.length; ) {
    const left = rows.length - done
    const size = INSERT_SIZES.find(candidate => candidate <= left) ?? 1
    await db
      .insertInto('events')
      .values(rows.slice(done, done + size))
      .execute()
    done += size
  }
}

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
  await insertEvents(db, task, fence, [{ kind, text }], last_seq, at)
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
