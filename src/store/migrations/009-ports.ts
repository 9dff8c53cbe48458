import type { Kysely } from 'kysely'

/** The first port of the block that a worktree has, or had when it was taken away. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('worktrees').addColumn('port', 'integer').execute()
  await db.schema.alterTable('snapshots').addColumn('port', 'integer').execute()
  await db.schema.createIndex('worktrees_by_port').unique().on('worktrees').column('port').execute()
}
