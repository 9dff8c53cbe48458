import type { Kysely } from 'kysely'

/** Worktrees that were taken away, and what is left of them; tasks that nobody wants to see. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('worktrees')
    .addColumn('retiring', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('tasks').addColumn('archived_at', 'bigint').execute()
  await db.schema
    .createTable('snapshots')
    .addColumn('worktree', 'text', column => column.notNull())
    .addColumn('number', 'integer', column => column.notNull())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('path', 'text', column => column.notNull())
    .addColumn('repository', 'text', column => column.notNull())
    .addColumn('taken_at', 'bigint', column => column.notNull())
    .addColumn('content_json', 'text', column => column.notNull())
    .addPrimaryKeyConstraint('snapshots_key', ['worktree', 'number'])
    .execute()
}
