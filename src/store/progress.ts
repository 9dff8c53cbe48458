/** How far an attempt's output has been read, and what was understood of it. */
import { type Kysely, type Selectable, sql } from 'kysely'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import { asFence, type Fence, type TaskId } from '../domain/ids.ts'
import type { Usage } from '../domain/outcome.ts'
import type { TaskStateName } from '../domain/task.ts'
import type { AttemptRecord, ClaimedAttempt, Progress, Tries, UsageRecord } from '../ports/store.ts'
import { readTranslation, readUsage } from './columns.ts'
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
  const { session } = progress.translation
  const { activity } = progress
  const { rows } = await sql<{ last_seq: number }>`
    UPDATE tasks SET
      last_seq = last_seq + ${events.length},
      session = coalesce(${session}, session),
      usage_json = coalesce(${json(progress.usage)}, usage_json),
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
      usage_json = ${json(progress.spent)},
      translation_json = ${JSON.stringify(progress.translation)}
    WHERE task = ${task} AND fence = ${fence}`.execute(db)
  const first = current.last_seq - events.length + 1
  await insertEvents(db, task, fence, events, first, now)
  return true
}

const json = (usage: Usage | null) => (usage === null ? null : JSON.stringify(usage))

/** Attempts, with what their tasks say of usage and of fruitless time. */
function selectAttempts(db: Db) {
  return db
    .selectFrom('attempts')
    .innerJoin('tasks', 'tasks.id', 'attempts.task')
    .selectAll('attempts')
    .select(['tasks.usage_json as task_usage_json', 'tasks.fruitless_ms as task_fruitless_ms'])
}

type AttemptRow = Awaited<ReturnType<ReturnType<typeof selectAttempts>['execute']>>[number]

export async function findProgress(
  db: Db,
  task: TaskId,
  fence: Fence,
): Promise<Progress | undefined> {
  const row = await selectAttempts(db)
    .where('attempts.task', '=', task)
    .where('attempts.fence', '=', fence)
    .executeTakeFirst()
  return row && readProgress(row)
}

function readProgress(row: AttemptRow): Progress | undefined {
  if (row.translation_json === null) return undefined
  const translation = readTranslation(row.translation_json)
  if (translation === undefined) return undefined
  return {
    offset: Number(row.stdout_offset),
    lines: Number(row.stdout_lines),
    translation,
    spent: row.usage_json === null ? null : readUsage(row.usage_json),
    usage: row.task_usage_json === null ? null : readUsage(row.task_usage_json),
    activity: { activeMs: Number(row.active_ms), fruitlessMs: Number(row.task_fruitless_ms) },
  }
}

/** Of all tasks in some states, the tries that each has had, and how far the newest has come. */
export async function gatherTries(
  db: Db,
  states: readonly TaskStateName[],
): Promise<ReadonlyMap<TaskId, Tries>> {
  const rows = await selectAttempts(db)
    .where('tasks.state', 'in', states)
    .orderBy('attempts.task')
    .orderBy('attempts.fence')
    .execute()
  const gathered = new Map<TaskId, Tries>()
  for (const row of rows) {
    const task = row.task as TaskId
    const attempts = [...(gathered.get(task)?.attempts ?? []), readAttempt(row)]
    gathered.set(task, { attempts, progress: readProgress(row) })
  }
  return gathered
}

export async function listAttempts(db: Db, task: TaskId): Promise<readonly AttemptRecord[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('task', '=', task)
    .orderBy('fence')
    .execute()
  return rows.map(readAttempt)
}

function readAttempt(row: Selectable<Database['attempts']>): AttemptRecord {
  return {
    attempt: {
      task: row.task as TaskId,
      fence: asFence(row.fence),
      mode: row.mode,
      startedAt: Number(row.started_at),
    },
    endedAt: row.ended_at === null ? null : Number(row.ended_at),
    ending: row.ending,
    activeMs: Number(row.active_ms),
    agent: row.agent,
    usage: row.usage_json === null ? null : readUsage(row.usage_json),
    sessionUsage:
      row.translation_json === null ? null : (readTranslation(row.translation_json)?.usage ?? null),
  }
}

/** See `Store.listUsage`. */
export async function listUsage(db: Db, since: number): Promise<readonly UsageRecord[]> {
  const rows = await db
    .selectFrom('attempts')
    .innerJoin('tasks', 'tasks.id', 'attempts.task')
    .select([
      'attempts.task',
      'attempts.agent',
      'tasks.agent as task_agent',
      'tasks.repository',
      'attempts.started_at',
      'attempts.usage_json',
    ])
    .where('attempts.started_at', '>=', since)
    .orderBy('attempts.started_at')
    .execute()
  return rows.map(row => ({
    task: row.task as TaskId,
    agent: row.agent ?? row.task_agent,
    repository: row.repository,
    startedAt: Number(row.started_at),
    usage: row.usage_json === null ? null : readUsage(row.usage_json),
  }))
}
