import type { Kysely } from 'kysely'

/** What is said twice under one key is one message. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const add = (name: string) => db.schema.alterTable('messages').addColumn(name, 'text').execute()
  await add('idempotency_key')
  await add('fingerprint')
  await db.schema
    .createIndex('messages_by_key')
    .unique()
    .on('messages')
    .column('idempotency_key')
    .execute()
}
