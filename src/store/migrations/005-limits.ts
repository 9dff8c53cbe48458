import type { Kysely } from 'kysely'

/**
 * Who does a task now, and on whose account; which accounts are limited; what attempts used; and
 * what people have answered to agents.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const addToTasks = (name: string, type: 'text' | 'integer') =>
    db.schema.alterTable('tasks').addColumn(name, type)
  await addToTasks('account', 'text').execute()
  await addToTasks('budget_json', 'text').execute()
  await db.schema
    .alterTable('tasks')
    .addColumn('fallbacks', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createIndex('tasks_by_account')
    .on('tasks')
    .columns(['account', 'state'])
    .execute()
  await db.schema.alterTable('attempts').addColumn('agent', 'text').execute()
  await db.schema.alterTable('attempts').addColumn('usage_json', 'text').execute()
  await db.schema.createIndex('attempts_by_start').on('attempts').columns(['started_at']).execute()

  await db.schema
    .createTable('limits')
    .addColumn('account', 'text', column => column.primaryKey())
    .addColumn('ends_at', 'bigint', column => column.notNull())
    .addColumn('probe', 'text', column => column.references('tasks.id'))
    .execute()

  await db.schema
    .createTable('answers')
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('fence', 'integer', column => column.notNull())
    .addColumn('question', 'text', column => column.notNull())
    .addColumn('answer', 'text', column => column.notNull())
    .addColumn('answered_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('answers_key', ['task', 'fence', 'question'])
    .execute()
}
