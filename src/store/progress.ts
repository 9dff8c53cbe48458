/** How far an attempt's output has been read, and what was understood of it. */
import type { Selectable } from 'kysely'
import { asFence, type Fence, type TaskId } from '../domain/ids.ts'
import type { TaskStateName } from '../domain/task.ts'
import type { AttemptRecord, Progress, Tries, UsageRecord } from '../ports/store.ts'
import { readTranslation, readUsage } from './columns.ts'
import type { Database, Db } from './schema.ts'

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
