/** How far an attempt's output has been read, and what was understood of it. */
import type { Kysely } from 'kysely'
import type { AgentEvent } from '../domain/agent-events.ts'
import { asFence, type Fence, type TaskId } from '../domain/ids.ts'
import type { AttemptRecord, ClaimedAttempt, Progress } from '../ports/store.ts'
import { readTranslation } from './columns.ts'
import { insertEvents } from './events.ts'
import type { Database, Db } from './schema.ts'

export async function recordProgress(
  db: Kysely<Database>,
  attempt: ClaimedAttempt,
  progress: Progress,
  events: readonly AgentEvent[],
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const { session, usage } = progress.translation
    const current = await transaction
      .updateTable('tasks')
      .set({
        ...(session === null ? {} : { session }),
        ...(usage === null ? {} : { usage_json: JSON.stringify(usage) }),
        attempts: attempt.fence,
      })
      .where('id', '=', attempt.task)
      .where('attempts', '=', attempt.fence)
      .executeTakeFirst()
    if (current.numUpdatedRows === 0n) return false
    await transaction
      .updateTable('attempts')
      .set({
        stdout_offset: progress.offset,
        translation_json: JSON.stringify(progress.translation),
      })
      .where('task', '=', attempt.task)
      .where('fence', '=', attempt.fence)
      .execute()
    await insertEvents(transaction, attempt.task, attempt.fence, events, now)
    return true
  })
}

export async function findProgress(
  db: Db,
  task: TaskId,
  fence: Fence,
): Promise<Progress | undefined> {
  const row = await db
    .selectFrom('attempts')
    .select(['stdout_offset', 'translation_json'])
    .where('task', '=', task)
    .where('fence', '=', fence)
    .executeTakeFirst()
  return row === undefined || row.translation_json === null
    ? undefined
    : { offset: Number(row.stdout_offset), translation: readTranslation(row.translation_json) }
}

export async function listAttempts(db: Db, task: TaskId): Promise<readonly AttemptRecord[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('task', '=', task)
    .orderBy('fence')
    .execute()
  return rows.map(row => ({
    attempt: {
      task,
      fence: asFence(row.fence),
      mode: row.mode,
      startedAt: Number(row.started_at),
    },
    endedAt: row.ended_at === null ? null : Number(row.ended_at),
    ending: row.ending,
  }))
}
