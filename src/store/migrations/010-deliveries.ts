import type { Kysely } from 'kysely'

/** Where deliveries go, how often that was tried, and what came of it. What there is, is the inbox's. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const add = (name: string, type: 'text' | 'bigint') =>
    db.schema.alterTable('deliveries').addColumn(name, type).execute()
  await db.schema
    .alterTable('deliveries')
    .addColumn('channel', 'text', column => column.notNull().defaultTo('inbox'))
    .execute()
  await db.schema
    .alterTable('deliveries')
    .addColumn('attempts', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await add('next_try_at', 'bigint')
  await add('problem', 'text')
  await add('sent_at', 'bigint')
  await add('acknowledged_at', 'bigint')
  await db.schema
    .createIndex('deliveries_by_channel')
    .on('deliveries')
    .columns(['channel', 'state', 'created_at'])
    .execute()
  await db.schema.createIndex('deliveries_by_task').on('deliveries').column('task').execute()
}
