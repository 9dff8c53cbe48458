/** What is left of worktrees that were taken away, or are lost. */
import type { Selectable } from 'kysely'
import type { WorktreeId } from '../domain/ids.ts'
import type { RunningSnapshot, Snapshot } from '../domain/snapshot.ts'
import { activeStates } from '../domain/task.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import { readSnapshotContent } from './columns.ts'
import type { Database, Db } from './schema.ts'

/** See `Store.recordSnapshot`. */
export async function recordSnapshot(db: Db, snapshot: Snapshot): Promise<void> {
  const { worktree, number, kind, path, commonDir, takenAt, ...content } = snapshot
  const values = {
    kind,
    path,
    repository: commonDir,
    taken_at: takenAt,
    content_json: JSON.stringify(content),
  }
  await db
    .insertInto('snapshots')
    .values(eb => ({
      worktree,
      number,
      ...values,
      port: eb.selectFrom('worktrees').select('port').where('id', '=', worktree),
    }))
    .onConflict(conflict => conflict.columns(['worktree', 'number']).doUpdateSet(values))
    .execute()
}

/** See `Store.listSnapshots`. */
export async function listSnapshots(db: Db, worktree: WorktreeId): Promise<readonly Snapshot[]> {
  const rows = await db
    .selectFrom('snapshots')
    .selectAll()
    .where('worktree', '=', worktree)
    .orderBy('number', 'desc')
    .execute()
  return rows.map(readSnapshot)
}

function readSnapshot(row: Selectable<Database['snapshots']>): Snapshot {
  return {
    ...readSnapshotContent(row.worktree, row.number, row.content_json),
    worktree: row.worktree as WorktreeId,
    number: row.number,
    kind: row.kind,
    path: row.path,
    commonDir: row.repository,
    takenAt: Number(row.taken_at),
  }
}

/** See `Store.listPutAwayAlone`. */
export async function listPutAwayAlone(db: Db): Promise<readonly Snapshot[]> {
  const rows = await db
    .selectFrom('snapshots')
    .selectAll()
    .where('worktree', 'not in', db.selectFrom('worktrees').select('id'))
    .where(eb =>
      eb.not(
        eb.exists(
          eb.selectFrom('tasks').select('id').whereRef('tasks.worktree', '=', 'snapshots.worktree'),
        ),
      ),
    )
    .orderBy('number')
    .execute()
  return [...new Map(rows.map(row => [row.worktree, readSnapshot(row)])).values()]
}

export async function forgetSnapshot(db: Db, worktree: WorktreeId, number: number): Promise<void> {
  await db
    .deleteFrom('snapshots')
    .where('worktree', '=', worktree)
    .where('number', '=', number)
    .execute()
}

/** See `Store.recordRunningSnapshot`. */
export async function recordRunningSnapshot(
  db: Db,
  { task, fence }: ClaimedAttempt,
  snapshot: RunningSnapshot,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('tasks')
    .set({ snapshot_json: JSON.stringify(snapshot) })
    .where('id', '=', task)
    .where('attempts', '=', fence)
    .where('state', 'in', activeStates)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
