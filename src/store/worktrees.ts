/** Worktrees and who claims them. */
import type { ExpressionBuilder, Kysely } from 'kysely'
import type { TaskId, WorktreeId } from '../domain/ids.ts'
import type { ClaimedAttempt, StoredWorktree } from '../ports/store.ts'
import type { WorktreePlan, WorktreeRecord } from '../ports/worktrees.ts'
import { readWorktreeRecord } from './columns.ts'
import type { Database, Db } from './schema.ts'

export async function leaseWorktree(
  db: Kysely<Database>,
  attempt: ClaimedAttempt,
  { id, kind, path, commonDir }: WorktreePlan,
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const current = await transaction
      .updateTable('tasks')
      .set({ worktree: id })
      .where('id', '=', attempt.task)
      .where('attempts', '=', attempt.fence)
      .executeTakeFirst()
    if (current.numUpdatedRows === 0n) return false
    await transaction
      .insertInto('worktrees')
      .values({ id, kind, path, repository: commonDir, pinned: 0, created_at: now })
      .onConflict(conflict => conflict.column('id').doNothing())
      .execute()
    const lease = { task: attempt.task, fence: attempt.fence, taken_at: now }
    await transaction
      .insertInto('leases')
      .values({ worktree: id, ...lease })
      .onConflict(conflict =>
        conflict.column('worktree').doUpdateSet(lease).where('leases.task', '=', attempt.task),
      )
      .execute()
    const held = await transaction
      .selectFrom('leases')
      .select('task')
      .where('worktree', '=', id)
      .executeTakeFirst()
    return held?.task === attempt.task
  })
}

export async function recordWorktree(
  db: Kysely<Database>,
  attempt: ClaimedAttempt,
  record: WorktreeRecord,
): Promise<boolean> {
  const updated = await db
    .updateTable('worktrees')
    .set({ record_json: JSON.stringify(record) })
    .where('id', '=', record.id)
    .where(eb =>
      eb.exists(
        eb
          .selectFrom('tasks')
          .select('tasks.id')
          .where('tasks.id', '=', attempt.task)
          .where('tasks.attempts', '=', attempt.fence),
      ),
    )
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

function selectWorktrees(db: Db) {
  return db
    .selectFrom('worktrees')
    .leftJoin('leases', 'leases.worktree', 'worktrees.id')
    .selectAll('worktrees')
    .select('leases.task as leased_to')
}

type WorktreeRow = Awaited<
  ReturnType<ReturnType<typeof selectWorktrees>['executeTakeFirstOrThrow']>
>

function readWorktree(row: WorktreeRow): StoredWorktree {
  return {
    id: row.id as WorktreeId,
    kind: row.kind,
    path: row.path,
    commonDir: row.repository,
    record: row.record_json === null ? null : readWorktreeRecord(row.id, row.record_json),
    leasedTo: row.leased_to as TaskId | null,
    pinned: row.pinned === 1,
    retiring: row.retiring === 1,
    madeAt: Number(row.created_at),
  }
}

export async function findWorktree(db: Db, id: WorktreeId): Promise<StoredWorktree | undefined> {
  const row = await selectWorktrees(db).where('worktrees.id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : readWorktree(row)
}

export async function listWorktrees(db: Db): Promise<readonly StoredWorktree[]> {
  const rows = await selectWorktrees(db).orderBy('worktrees.created_at').execute()
  return rows.flatMap(row => {
    try {
      return readWorktree(row)
    } catch {
      // `checkIntegrity` names it.
      return []
    }
  })
}

/** See `Store.newestTaskIn`. */
export async function newestTaskIn(db: Db, id: WorktreeId): Promise<TaskId | null> {
  const row = await db
    .selectFrom('tasks')
    .select('id')
    .where('worktree', '=', id)
    .orderBy('number', 'desc')
    .executeTakeFirst()
  return (row?.id as TaskId | undefined) ?? null
}

const isUnleased = (id: WorktreeId) => (eb: ExpressionBuilder<Database, 'worktrees'>) =>
  eb.not(eb.exists(eb.selectFrom('leases').select('task').where('worktree', '=', id)))

/** See `Store.planWorktree`. */
export async function planWorktree(
  db: Db,
  { id, kind, path, commonDir }: WorktreePlan,
  now: number,
): Promise<void> {
  const values = { path, record_json: null, retiring: 0, created_at: now }
  await db
    .insertInto('worktrees')
    .values({ id, kind, repository: commonDir, pinned: 0, ...values })
    .onConflict(conflict => conflict.column('id').doUpdateSet(values))
    .execute()
}

/** See `Store.beginRetirement`. */
export async function beginRetirement(db: Db, id: WorktreeId): Promise<boolean> {
  const updated = await db
    .updateTable('worktrees')
    .set({ retiring: 1 })
    .where('id', '=', id)
    .where(isUnleased(id))
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

export async function giveUpRetirement(db: Db, id: WorktreeId): Promise<void> {
  await db.updateTable('worktrees').set({ retiring: 0 }).where('id', '=', id).execute()
}

export async function pinWorktree(db: Db, id: WorktreeId, pinned: boolean): Promise<boolean> {
  const updated = await db
    .updateTable('worktrees')
    .set({ pinned: pinned ? 1 : 0 })
    .where('id', '=', id)
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

/** One statement: a lease that is taken in between is not overlooked. */
export async function forgetWorktree(db: Db, id: WorktreeId): Promise<boolean> {
  const deleted = await db
    .deleteFrom('worktrees')
    .where('id', '=', id)
    .where(isUnleased(id))
    .executeTakeFirst()
  return deleted.numDeletedRows > 0n
}
