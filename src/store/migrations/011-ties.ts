import type { Kysely } from 'kysely'

/** 1: the task ends with its caller. The worker asks for those again and again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('tasks')
    .addColumn('tied', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('tasks_by_tie').on('tasks').columns(['tied', 'state']).execute()
}
