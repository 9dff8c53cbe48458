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
    .addColumn('idempotency_key', 'text')
    .addColumn('fingerprint', 'text')
    .addPrimaryKeyConstraint('messages_key', ['task', 'number'])
    .execute()
  // What is said twice under one key is one message.
  await db.schema
    .createIndex('messages_by_key')
    .unique()
    .on('messages')
    .column('idempotency_key')
    .execute()
  const add = (name: string) => db.schema.alterTable('tasks').addColumn(name, 'text').execute()
  await add('group_id')
  await add('follows')
  await add('verify_json')
  await db.schema.createIndex('tasks_by_group').on('tasks').column('group_id').execute()
  await db.schema.createIndex('tasks_by_follows').on('tasks').column('follows').execute()
  await fillFollows(db as Kysely<Tasks>)
}

interface Tasks {
  tasks: { id: string; request_json: string; follows: string | null }
}

/** Of the tasks that follow already. */
async function fillFollows(db: Kysely<Tasks>): Promise<void> {
  const rows = await db.selectFrom('tasks').select(['id', 'request_json']).execute()
  for (const { id, request_json } of rows) {
    const follows = readFollows(request_json)
    if (follows !== null)
      await db.updateTable('tasks').set({ follows }).where('id', '=', id).execute()
  }
}

function readFollows(request: string): string | null {
  try {
    const { follows = null } = JSON.parse(request) as { follows?: string | null }
    return follows
  } catch {
    return null // The row is damaged: `doctor` says so.
  }
}
