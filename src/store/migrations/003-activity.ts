import type { Kysely } from 'kysely'

/** How long attempts were at work, and in how many of them an agent ran. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('tasks')
    .addColumn('runs', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .alterTable('tasks')
    .addColumn('fruitless_ms', 'bigint', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .alterTable('attempts')
    .addColumn('active_ms', 'bigint', column => column.notNull().defaultTo(0))
    .execute()
}
