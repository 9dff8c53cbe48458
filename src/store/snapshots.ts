/** What is left of worktrees that were taken away. */
import type { Selectable } from 'kysely'
import type { WorktreeId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
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
    .values({ worktree, number, ...values })
    .onConflict(conflict => conflict.columns(['worktree', 'number']).doUpdateSet(values))
    .execute()
}

/** The newest first; those whose rows are sound. */
export async function listSnapshots(db: Db, worktree?: WorktreeId): Promise<readonly Snapshot[]> {
  const all = db.selectFrom('snapshots').selectAll().orderBy('number', 'desc')
  const rows = await (worktree === undefined ? all : all.where('worktree', '=', worktree)).execute()
  return rows.flatMap(row => readSnapshot(row) ?? [])
}

/** `checkIntegrity` names one that cannot be read. */
function readSnapshot(row: Selectable<Database['snapshots']>): Snapshot | undefined {
  const content = readSnapshotContent(row.content_json)
  if (content === undefined) return undefined
  return {
    ...content,
    worktree: row.worktree as WorktreeId,
    number: row.number,
    kind: row.kind,
    path: row.path,
    commonDir: row.repository,
    takenAt: Number(row.taken_at),
  }
}

export async function forgetSnapshot(db: Db, worktree: WorktreeId, number: number): Promise<void> {
  await db
    .deleteFrom('snapshots')
    .where('worktree', '=', worktree)
    .where('number', '=', number)
    .execute()
}
