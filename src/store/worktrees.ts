/** Worktrees and who claims them. */
import type { ExpressionBuilder, Kysely } from 'kysely'
import type { TaskId, WorktreeId } from '../domain/ids.ts'
import { choosePort, overlap, type PortRange } from '../domain/port-blocks.ts'
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
    port: row.port,
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
  db: Kysely<Database>,
  { id, kind, path, commonDir }: WorktreePlan,
  now: number,
): Promise<void> {
  await db.transaction().execute(async transaction => {
    const port = await portBefore(transaction, id)
    const values = { path, record_json: null, retiring: 0, port, created_at: now }
    await transaction
      .insertInto('worktrees')
      .values({ id, kind, repository: commonDir, pinned: 0, ...values })
      .onConflict(conflict => conflict.column('id').doUpdateSet(values))
      .execute()
  })
}

/** See `Store.recordPlanned`. */
export async function recordPlanned(db: Db, record: WorktreeRecord): Promise<boolean> {
  const updated = await db
    .updateTable('worktrees')
    .set({ record_json: JSON.stringify(record) })
    .where('id', '=', record.id)
    .where(isUnleased(record.id))
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

/** What a worktree had when its newest snapshot was taken, if nobody else has it by now. */
async function portBefore(db: Db, id: WorktreeId): Promise<number | null> {
  const snapshot = await db
    .selectFrom('snapshots')
    .select('port')
    .where('worktree', '=', id)
    .orderBy('number', 'desc')
    .executeTakeFirst()
  const port = snapshot?.port ?? null
  const isTaken = port !== null && (await takenPorts(db, id)).some(other => overlap(port, other))
  return isTaken ? null : port
}

async function takenPorts(db: Db, by: WorktreeId): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('worktrees')
    .select('port')
    .where('port', 'is not', null)
    .where('id', '!=', by)
    .execute()
  return rows.flatMap(({ port }) => (port === null ? [] : [port]))
}

/** See `Store.claimPorts`. */
export async function claimPorts(
  db: Kysely<Database>,
  id: WorktreeId,
  range: PortRange,
): Promise<number | null> {
  return await db.transaction().execute(async transaction => {
    const row = await transaction
      .selectFrom('worktrees')
      .select('port')
      .where('id', '=', id)
      .executeTakeFirst()
    if (row === undefined || row.port !== null) return row?.port ?? null
    // The row of a user's own checkout is never forgotten; while no task works there it needs none.
    await transaction
      .updateTable('worktrees')
      .set({ port: null })
      .where('kind', '=', 'borrowed')
      .where(eb => eb('id', 'not in', eb.selectFrom('leases').select('worktree')))
      .execute()
    const port = choosePort(id, await takenPorts(transaction, id), range)
    await transaction.updateTable('worktrees').set({ port }).where('id', '=', id).execute()
    return port
  })
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
