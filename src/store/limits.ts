/**
 * Accounts whose limit was met. Until it ends none of an account's tasks begins an attempt; then one
 * does, the probe, and the others follow when it was seen to get something done.
 */
import type { Kysely } from 'kysely'
import { type Expression, type SqlBool, sql } from 'kysely'
import type { TaskId } from '../domain/ids.ts'
import { hasEnded, type Task, type TaskState } from '../domain/task.ts'
import type { Transition } from '../domain/transitions.ts'
import type { Database, Db } from './schema.ts'
import { readTaskOr, selectTasks } from './tasks.ts'

/** Whether the account of a task of `selectTasks` lets it begin an attempt now. */
export function isFree(now: number): Expression<SqlBool> {
  return sql<SqlBool>`(limits.account IS NULL OR (limits.ends_at <= ${now}
    AND (limits.probe IS NULL OR limits.probe = tasks.id)))`
}

/** When a waiting task of `tasks left join limits` may begin one; null: when its probe has told. */
export const wakeTime = sql<number | null>`CASE
  WHEN limits.account IS NULL THEN tasks.wait_until
  WHEN limits.probe IS NOT NULL AND limits.probe <> tasks.id THEN NULL
  ELSE max(tasks.wait_until, limits.ends_at) END`

/** Within the transaction of a move: what it says of the task's account. */
export async function noteLimit(
  db: Db,
  task: Task,
  event: Transition,
  state: TaskState,
  now: number,
): Promise<void> {
  const id = task.request.id
  if (state.name === 'waiting' && state.wait.reason === 'usage_limit') {
    const { account } = state.wait
    // The word of a person, who knows better, is taken at once; the one who asked goes first.
    const limit =
      event.kind === 'wait_ended'
        ? { ends_at: now, probe: null }
        : { ends_at: state.wait.until, probe: null }
    await db
      .insertInto('limits')
      .values({ account, ...limit })
      .onConflict(conflict => conflict.column('account').doUpdateSet(limit))
      .execute()
    return
  }
  if (task.account === null) return
  if (state.name === 'starting') {
    await db.updateTable('limits').set({ probe: id }).where('account', '=', task.account).execute()
    return
  }
  if (state.name === 'succeeded') {
    await db.deleteFrom('limits').where('probe', '=', id).execute()
  } else if (state.name === 'waiting' || hasEnded(state)) {
    // It proved nothing: another one tries.
    await db.updateTable('limits').set({ probe: null }).where('probe', '=', id).execute()
  }
}

/** See `Store.liftLimit`. */
export async function liftLimit(
  db: Kysely<Database>,
  probe: TaskId,
  now: number,
  pause: () => number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const limit = await transaction
      .deleteFrom('limits')
      .where('probe', '=', probe)
      .returning('account')
      .executeTakeFirst()
    if (limit === undefined) return false
    const rows = await selectTasks(transaction)
      .where('tasks.account', '=', limit.account)
      .where('tasks.state', '=', 'waiting')
      .execute()
    for (const row of rows) {
      const task = readTaskOr(row, () => undefined)
      if (task?.state.name !== 'waiting' || task.state.wait.reason !== 'usage_limit') continue
      const until = now + pause()
      const state: TaskState = { name: 'waiting', wait: { ...task.state.wait, until } }
      await transaction
        .updateTable('tasks')
        .set({ wait_until: until, state_json: JSON.stringify(state) })
        .where('id', '=', task.request.id)
        .execute()
    }
    return true
  })
}

export async function isProbe(db: Db, task: TaskId): Promise<boolean> {
  const row = await db
    .selectFrom('limits')
    .select('account')
    .where('probe', '=', task)
    .executeTakeFirst()
  return row !== undefined
}
