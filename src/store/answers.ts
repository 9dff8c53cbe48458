/** What people have answered to the questions of agents. */
import type { Kysely } from 'kysely'
import type { Fence, TaskId } from '../domain/ids.ts'
import { insertNote } from './events.ts'
import type { Database, Db } from './schema.ts'
import { fenceOf, findTask } from './tasks.ts'

/** See `Store.recordAnswer`. */
export async function recordAnswer(
  db: Kysely<Database>,
  id: TaskId,
  { fence, id: question }: { readonly fence: Fence; readonly id: string },
  answer: { readonly text: string; readonly note: string },
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const task = await findTask(transaction, id)
    if (task?.state.name !== 'needs_input') return false
    if (task.state.fence !== fence || task.state.question.id !== question) return false
    const { numInsertedOrUpdatedRows = 0n } = await transaction
      .insertInto('answers')
      .values({
        task: id,
        fence,
        question,
        answer: answer.text,
        answered_at: now,
      })
      .onConflict(conflict => conflict.columns(['task', 'fence', 'question']).doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows === 0n) return false
    await insertNote(transaction, id, fenceOf(task), 'task_changed', answer.note, now)
    return true
  })
}

export async function listAnswers(
  db: Db,
  task: TaskId,
  fence: Fence,
): Promise<ReadonlyMap<string, string>> {
  const rows = await db
    .selectFrom('answers')
    .select(['question', 'answer'])
    .where('task', '=', task)
    .where('fence', '=', fence)
    .execute()
  return new Map(rows.map(row => [row.question, row.answer]))
}
