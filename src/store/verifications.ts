/** What `--verify` came to, in the row of its task. */
import type { Kysely } from 'kysely'
import { hasEnded } from '../domain/task.ts'
import type { Verification } from '../domain/verify.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import { insertNote } from './events.ts'
import { insertMessage } from './messages.ts'
import type { Database } from './schema.ts'
import { findTask } from './tasks.ts'

/** See `Store.recordVerification`. */
export async function recordVerification(
  db: Kysely<Database>,
  { task: id, fence }: ClaimedAttempt,
  verification: Verification,
  told: { readonly note: string; readonly message: string | null } | null,
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const task = await findTask(transaction, id)
    if (task === undefined || task.attempts !== fence || hasEnded(task.state)) return false
    const before = task.verification
    // It was written down by a worker that died right then, and is not said twice.
    if (before?.fence === fence && before.state !== 'running') return true
    await transaction
      .updateTable('tasks')
      .set({ verify_json: JSON.stringify(verification) })
      .where('id', '=', id)
      .execute()
    if (told !== null) await insertNote(transaction, id, fence, 'task_changed', told.note, now)
    const message = task.state.name === 'cancelling' ? null : (told?.message ?? null)
    if (message !== null) await insertMessage(transaction, task, message, now)
    return true
  })
}
