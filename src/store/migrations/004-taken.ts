import type { Kysely } from 'kysely'

/** Whether a task's result was taken home, how and to where. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('tasks').addColumn('taken_json', 'text').execute()
}
