import type { Kysely } from 'kysely'

/** Tasks, their attempts and log, worktrees and their leases, and what is owed to subscribers. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tasks')
    .addColumn('number', 'integer', column => column.primaryKey().autoIncrement())
    .addColumn('id', 'text', column => column.notNull().unique())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('agent', 'text', column => column.notNull())
    .addColumn('repository', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('request_json', 'text', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .addColumn('state_since', 'bigint', column => column.notNull())
    .addColumn('state_json', 'text', column => column.notNull())
    .addColumn('wait_until', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('started_at', 'bigint')
    .addColumn('attempts', 'integer', column => column.notNull().defaultTo(0))
    .addColumn('failures_in_row', 'integer', column => column.notNull().defaultTo(0))
    .addColumn('session', 'text')
    .addColumn('usage_json', 'text')
    .addColumn('worktree', 'text')
    .addColumn('last_seq', 'integer', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('tasks_by_state').on('tasks').columns(['state', 'number']).execute()
  await db.schema.createIndex('tasks_by_name').on('tasks').columns(['name', 'number']).execute()
  await db.schema.createIndex('tasks_by_end').on('tasks').columns(['ended_at']).execute()
  await db.schema
    .createIndex('tasks_by_repository')
    .on('tasks')
    .columns(['repository', 'number'])
    .execute()

  await db.schema
    .createTable('attempts')
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('fence', 'integer', column => column.notNull())
    .addColumn('mode', 'text', column => column.notNull())
    .addColumn('started_at', 'bigint', column => column.notNull())
    .addColumn('ended_at', 'bigint')
    .addColumn('ending', 'text')
    .addColumn('stdout_offset', 'bigint', column => column.notNull().defaultTo(0))
    .addColumn('stdout_lines', 'bigint', column => column.notNull().defaultTo(0))
    .addColumn('translation_json', 'text')
    .addPrimaryKeyConstraint('attempts_key', ['task', 'fence'])
    .execute()

  await db.schema
    .createTable('events')
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('seq', 'integer', column => column.notNull())
    .addColumn('at', 'bigint', column => column.notNull())
    .addColumn('fence', 'integer')
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('body_json', 'text', column => column.notNull())
    .addPrimaryKeyConstraint('events_key', ['task', 'seq'])
    .execute()

  await db.schema
    .createTable('worktrees')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('path', 'text', column => column.notNull().unique())
    .addColumn('repository', 'text', column => column.notNull())
    .addColumn('pinned', 'integer', column => column.notNull().defaultTo(0))
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('record_json', 'text')
    .execute()

  await db.schema
    .createTable('leases')
    .addColumn('worktree', 'text', column => column.primaryKey().references('worktrees.id'))
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('fence', 'integer', column => column.notNull())
    .addColumn('taken_at', 'bigint', column => column.notNull())
    .execute()

  await db.schema
    .createTable('deliveries')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('task', 'text', column => column.notNull().references('tasks.id'))
    .addColumn('event', 'text', column => column.notNull())
    .addColumn('subscriber_json', 'text', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .execute()
}
