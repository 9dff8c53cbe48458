import type { Kysely } from 'kysely'

/** What is said to tasks; and by which tasks can be looked for: their group, and what they follow. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('messages')
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('number', 'integer', column => column.notNull())
    .addColumn('text', 'text', column => column.notNull())
    .addColumn('sent_at', 'bigint', column => column.notNull())
    .addColumn('launched_with', 'integer')
    .addColumn('heard_at', 'bigint')
    .addPrimaryKeyConstraint('messages_key', ['task', 'number'])
    .execute()
  const add = (name: string) => db.schema.alterTable('tasks').addColumn(name, 'text').execute()
  await add('group_id')
  await add('follows')
  await add('verify_json')
  await db.schema.createIndex('tasks_by_group').on('tasks').column('group_id').execute()
  await db.schema.createIndex('tasks_by_follows').on('tasks').column('follows').execute()
}
