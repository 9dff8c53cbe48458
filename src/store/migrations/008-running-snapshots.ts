import type { Kysely } from 'kysely'

/** The newest snapshot of a running task. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('tasks').addColumn('snapshot_json', 'text').execute()
}
