/** How far an attempt's output has been read, and what was understood of it. */
import { type Kysely, sql } from 'kysely'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
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
    reach('follow.step-written')
    return held
  })
}

/** In plain SQL: these two run a hundred times a second, and building them would cost the most. */
async function recordStep(db: Db, { attempt, progress, events, now }: Step): Promise<boolean> {
  const { task, fence } = attempt
  const { session, usage } = progress.translation
  const { activity } = progress
  const usageJson = usage === null ? null : JSON.stringify(usage)
  const { rows } = await sql<{ last_seq: number }>`
    UPDATE tasks SET
      last_seq = last_seq + ${events.length},
      session = coalesce(${session}, session),
      usage_json = coalesce(${usageJson}, usage_json),
      fruitless_ms = ${Math.round(activity.fruitlessMs)}
    WHERE id = ${task} AND attempts = ${fence}
    RETURNING last_seq`.execute(db)
  const [current] = rows
  if (current === undefined) return false
  await sql`
    UPDATE attempts SET
      stdout_offset = ${progress.offset},
      stdout_lines = ${progress.lines},
      active_ms = ${Math.round(activity.activeMs)},
      translation_json = ${JSON.stringify(progress.translation)}
    WHERE task = ${task} AND fence = ${fence}`.execute(db)
  const first = current.last_seq - events.length + 1
  await insertEvents(db, task, fence, events, first, now)
  return true
}

export async function findProgress(
  db: Db,
  task: TaskId,
  fence: Fence,
): Promise<Progress | undefined> {
  const row = await db
    .selectFrom('attempts')
    .innerJoin('tasks', 'tasks.id', 'attempts.task')
    .select([
      'stdout_offset',
      'stdout_lines',
      'translation_json',
      'attempts.active_ms',
      'tasks.fruitless_ms',
    ])
    .where('task', '=', task)
    .where('fence', '=', fence)
    .executeTakeFirst()
  if (row === undefined || row.translation_json === null) return undefined
  const translation = readTranslation(row.translation_json)
  if (translation === undefined) return undefined
  return {
    offset: Number(row.stdout_offset),
    lines: Number(row.stdout_lines),
    translation,
    activity: { activeMs: Number(row.active_ms), fruitlessMs: Number(row.fruitless_ms) },
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
    activeMs: Number(row.active_ms),
  }))
}
