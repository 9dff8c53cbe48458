/** How far an attempt's output has been read, and what was understood of it. */
import type { Kysely } from 'kysely'
import type { AgentEvent } from '../domain/agent-events.ts'
import { asFence, type Fence, type TaskId } from '../domain/ids.ts'
import type { AttemptRecord, ClaimedAttempt, Progress } from '../ports/store.ts'
import { readTranslation } from './columns.ts'
import { insertEvents } from './events.ts'
import type { Database, Db } from './schema.ts'

/** One attempt's step. */
export interface Step {
  readonly attempt: ClaimedAttempt
  readonly progress: Progress
  readonly events: readonly AgentEvent[]
  readonly now: number
}

/** The steps of several attempts in one transaction; for each, whether its fence still held. */
export async function recordSteps(
  db: Kysely<Database>,
  steps: readonly Step[],
): Promise<readonly boolean[]> {
  return await db.transaction().execute(async transaction => {
    const held: boolean[] = []
    for (const step of steps) held.push(await recordStep(transaction, step))
    return held
  })
}

async function recordStep(db: Db, { attempt, progress, events, now }: Step): Promise<boolean> {
  const { session, usage } = progress.translation
  const current = await db
    .updateTable('tasks')
    .set(eb => ({
      last_seq: eb('last_seq', '+', events.length),
      ...(session === null ? {} : { session }),
      ...(usage === null ? {} : { usage_json: JSON.stringify(usage) }),
    }))
    .where('id', '=', attempt.task)
    .where('attempts', '=', attempt.fence)
    .returning('last_seq')
    .executeTakeFirst()
  if (current === undefined) return false
  await db
    .updateTable('attempts')
    .set({
      stdout_offset: progress.offset,
      stdout_lines: progress.lines,
      translation_json: JSON.stringify(progress.translation),
    })
    .where('task', '=', attempt.task)
    .where('fence', '=', attempt.fence)
    .execute()
  const first = current.last_seq - events.length + 1
  await insertEvents(db, attempt.task, attempt.fence, events, first, now)
  return true
}

export async function findProgress(
  db: Db,
  task: TaskId,
  fence: Fence,
): Promise<Progress | undefined> {
  const row = await db
    .selectFrom('attempts')
    .select(['stdout_offset', 'stdout_lines', 'translation_json'])
    .where('task', '=', task)
    .where('fence', '=', fence)
    .executeTakeFirst()
  return row === undefined || row.translation_json === null
    ? undefined
    : {
        offset: Number(row.stdout_offset),
        lines: Number(row.stdout_lines),
        translation: readTranslation(row.translation_json),
      }
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
