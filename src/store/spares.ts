/** Worktrees that are made in advance. */
import type { Kysely, Selectable } from 'kysely'
import type { WorktreeId } from '../domain/ids.ts'
import type { SpareOrder, StoredSpare } from '../ports/store.ts'
import type { SpareWorktree } from '../ports/worktrees.ts'
import { readSpareWorktree } from './columns.ts'
import type { Database, Db } from './schema.ts'

/** See `Store.planSpare`. */
export async function planSpare(
  db: Db,
  { id, path, commonDir, umask }: SpareOrder,
  now: number,
): Promise<void> {
  const empty = { commit_id: null, spare_json: null, claimed_by: null }
  await db
    .insertInto('spares')
    .values({ id, path, repository: commonDir, umask, made_at: now, ...empty })
    .execute()
}

/** See `Store.recordSpare`. */
export async function recordSpare(
  db: Db,
  id: WorktreeId,
  spare: SpareWorktree | null,
): Promise<boolean> {
  const updated = await db
    .updateTable('spares')
    .set({ commit_id: spare?.commit ?? null, spare_json: spare && JSON.stringify(spare) })
    .where('id', '=', id)
    .where('claimed_by', 'is', null)
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

/** See `Store.takeSpare`. */
export async function takeSpare(
  db: Kysely<Database>,
  { id, commonDir, umask }: SpareOrder,
  commit: string,
): Promise<StoredSpare | undefined> {
  return await db.transaction().execute(async transaction => {
    const earlier = transaction.selectFrom('spares').select('id').where('claimed_by', '=', id)
    // Of what became of that one nobody is sure any more.
    if ((await earlier.executeTakeFirst()) !== undefined) return undefined
    const found = await transaction
      .selectFrom('spares')
      .selectAll()
      .where('repository', '=', commonDir)
      .where('umask', umask === null ? 'is' : '=', umask)
      .where('spare_json', 'is not', null)
      .where('claimed_by', 'is', null)
      .orderBy(eb => eb('commit_id', '=', commit), 'desc')
      // Build output is there to be used.
      .orderBy(eb => eb('spare_json', 'like', '%"output":%'), 'desc')
      .orderBy('made_at', 'desc')
      .executeTakeFirst()
    if (found === undefined) return undefined
    await transaction
      .updateTable('spares')
      .set({ claimed_by: id })
      .where('id', '=', found.id)
      .execute()
    return readSpare({ ...found, claimed_by: id })
  })
}

export async function listSpares(db: Db): Promise<readonly StoredSpare[]> {
  const rows = await db.selectFrom('spares').selectAll().orderBy('made_at').execute()
  return rows.map(readSpare)
}

export async function forgetSpare(db: Db, id: WorktreeId): Promise<void> {
  await db.deleteFrom('spares').where('id', '=', id).execute()
}

function readSpare(row: Selectable<Database['spares']>): StoredSpare {
  return {
    id: row.id as WorktreeId,
    path: row.path,
    commonDir: row.repository,
    umask: row.umask,
    spare: row.spare_json === null ? null : readSpareWorktree(row.spare_json),
    claimedBy: row.claimed_by as WorktreeId | null,
  }
}
