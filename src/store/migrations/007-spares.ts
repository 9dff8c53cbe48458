import type { Kysely } from 'kysely'

/** Worktrees that are made in advance. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('spares')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('repository', 'text', column => column.notNull())
    .addColumn('path', 'text', column => column.notNull())
    .addColumn('umask', 'integer')
    .addColumn('made_at', 'bigint', column => column.notNull())
    .addColumn('commit_id', 'text')
    .addColumn('spare_json', 'text')
    .addColumn('claimed_by', 'text')
    .execute()
  await db.schema
    .createIndex('spares_by_repository')
    .on('spares')
    .columns(['repository', 'made_at'])
    .execute()
}
