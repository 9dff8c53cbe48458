import type { Kysely } from 'kysely'

/** In which order tasks start, which others they wait for, who delegated them, and under which key. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const tasks = db.schema.alterTable('tasks')
  await tasks.addColumn('priority', 'integer', column => column.notNull().defaultTo(0)).execute()
  await tasks.addColumn('idempotency_key', 'text').execute()
  await tasks.addColumn('parent', 'text').execute()
  await tasks.addColumn('root', 'text').execute()
  await db.schema
    .createIndex('tasks_by_priority')
    .on('tasks')
    .columns(['state', 'priority desc', 'number'])
    .execute()
  await db.schema
    .createIndex('tasks_by_idempotency_key')
    .unique()
    .on('tasks')
    .columns(['idempotency_key'])
    .execute()
  await db.schema.createIndex('tasks_by_root').on('tasks').columns(['root']).execute()

  await db.schema
    .createTable('dependencies')
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('waits_for', 'text', column => column.notNull().references('tasks.id'))
    .addPrimaryKeyConstraint('dependencies_key', ['task', 'waits_for'])
    .execute()
  await db.schema
    .createIndex('dependencies_by_waits_for')
    .on('dependencies')
    .columns(['waits_for'])
    .execute()
}
