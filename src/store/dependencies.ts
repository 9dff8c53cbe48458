/** Tasks that wait for others: they start once all of these have succeeded, and fail with the first that has not. */
import type { TaskId } from '../domain/ids.ts'
import type { EndedState, Task, TaskState } from '../domain/task.ts'
import type { Transition } from '../domain/transitions.ts'
import type { Db } from './schema.ts'
import { readTaskOr, selectTasks } from './tasks.ts'

type Move = (db: Db, task: Task, event: Transition, now: number) => Promise<Task | undefined>

/** Within the transaction in which a task ends; `move` is how the others are moved on. */
export async function tellDependents(
  db: Db,
  ended: TaskId,
  state: EndedState,
  now: number,
  move: Move,
): Promise<void> {
  const edges = await db
    .selectFrom('dependencies')
    .select('task')
    .where('waits_for', '=', ended)
    .execute()
  await db.deleteFrom('dependencies').where('waits_for', '=', ended).execute()
  for (const { task } of edges) await tellDependent(db, task as TaskId, ended, state, now, move)
}

async function tellDependent(
  db: Db,
  id: TaskId,
  ended: TaskId,
  state: EndedState,
  now: number,
  move: Move,
): Promise<void> {
  const task = await findReadable(db, id)
  // It may have been cancelled, or told not to wait.
  if (task?.state.name !== 'waiting' || task.state.wait.reason !== 'dependency') return
  if (state.name !== 'succeeded') {
    const failure = {
      code: 'dependency_failed',
      message: `${ended}, which it waited for, ${state.name === 'failed' ? 'failed' : 'was cancelled'}`,
      hint: `holdfast retry ${id} hands it in anew`,
    } as const
    await move(db, task, { kind: 'dependency_failed', failure }, now)
    return
  }
  const on = task.state.wait.on.filter(other => other !== ended)
  if (on.length === 0) {
    await move(db, task, { kind: 'wait_ended' }, now)
    return
  }
  const left: TaskState = { name: 'waiting', wait: { reason: 'dependency', on } }
  await db
    .updateTable('tasks')
    .set({ state_json: JSON.stringify(left) })
    .where('id', '=', id)
    .execute()
}

/** One whose row is damaged waits until it is mended; the end of the other may not fail with it. */
async function findReadable(db: Db, id: TaskId): Promise<Task | undefined> {
  const row = await selectTasks(db).where('tasks.id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : readTaskOr(row, () => undefined)
}
