/** Who works on what: claiming attempts, and moving tasks through their states. */
import type { Kysely } from 'kysely'
import { reach } from '../domain/crash-points.ts'
import { asFence, type Fence, type TaskId } from '../domain/ids.ts'
import type { Failure } from '../domain/outcome.ts'
import { type Attempt, activeStates, hasEnded, type Task, type TaskState } from '../domain/task.ts'
import { nextState, owesDelivery, type Transition } from '../domain/transitions.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import { insertNote } from './events.ts'
import type { Database, Db } from './schema.ts'
import { fenceOf, findTask, readTask, selectTasks } from './tasks.ts'

export async function claimNext(
  db: Kysely<Database>,
  now: number,
  mode: (task: Task) => Attempt['mode'],
): Promise<{ task: Task; attempt: ClaimedAttempt; interruptedBy: Failure | null } | undefined> {
  return await db.transaction().execute(async transaction => {
    const row = await selectTasks(transaction)
      .where(eb =>
        eb.or([
          eb('tasks.state', '=', 'queued'),
          eb.and([eb('tasks.state', '=', 'waiting'), eb('tasks.wait_until', '<=', now)]),
        ]),
      )
      .orderBy('tasks.number')
      .limit(1)
      .executeTakeFirst()
    if (row === undefined) return undefined
    const before = readTask(row)
    const id = before.request.id
    const attempt = {
      task: id,
      fence: asFence(before.attempts + 1),
      mode: mode(before),
      startedAt: now,
    } as ClaimedAttempt
    await transaction
      .updateTable('tasks')
      .set({ attempts: attempt.fence })
      .where('id', '=', id)
      .execute()
    await transaction
      .insertInto('attempts')
      .values({
        task: id,
        fence: attempt.fence,
        mode: attempt.mode,
        started_at: now,
        stdout_offset: 0,
        stdout_lines: 0,
      })
      .execute()
    const task = await moveTask(
      transaction,
      { ...before, attempts: attempt.fence },
      { kind: 'attempt_claimed', fence: attempt.fence },
      now,
    )
    reach('claim.written')
    const interruptedBy = before.state.name === 'waiting' ? before.state.wait.failure : null
    return task === undefined ? undefined : { task, attempt, interruptedBy }
  })
}

export async function claimActive(
  db: Db,
): Promise<readonly { task: Task; attempt: ClaimedAttempt }[]> {
  const rows = await selectTasks(db)
    .innerJoin('attempts', join =>
      join.onRef('attempts.task', '=', 'tasks.id').onRef('attempts.fence', '=', 'tasks.attempts'),
    )
    .select(['attempts.mode as mode', 'attempts.started_at as attempt_started_at'])
    .where('tasks.state', 'in', activeStates)
    .execute()
  return rows.map(row => ({
    task: readTask(row),
    attempt: {
      task: row.id as TaskId,
      fence: asFence(row.attempts),
      mode: row.mode,
      startedAt: Number(row.attempt_started_at),
    } as ClaimedAttempt,
  }))
}

export async function nextWake(db: Db): Promise<number | undefined> {
  const row = await db
    .selectFrom('tasks')
    .select(eb => eb.fn.min('wait_until').as('at'))
    .where('state', '=', 'waiting')
    .executeTakeFirst()
  return row?.at === null || row?.at === undefined ? undefined : Number(row.at)
}

/** One transition, one transaction: the row, its log line, its lease and its deliveries. */
export async function transition(
  db: Kysely<Database>,
  id: TaskId,
  fence: Fence | null,
  event: Transition,
  now: number,
): Promise<Task | undefined> {
  return await db.transaction().execute(async transaction => {
    const task = await findTask(transaction, id)
    if (task === undefined) return undefined
    if (fence !== null && fence !== task.attempts) return undefined
    const moved = await moveTask(transaction, task, event, now)
    reach('transition.written')
    return moved
  })
}

async function moveTask(
  db: Db,
  task: Task,
  event: Transition,
  now: number,
): Promise<Task | undefined> {
  const id = task.request.id
  const state = nextState(task.state, event, fenceOf(task), now)
  if (state === 'refused') return undefined
  if (state === task.state) return task

  const startedAt = task.startedAt ?? (event.kind === 'agent_started' ? now : null)
  const failuresInRow =
    event.kind === 'attempt_interrupted' ? event.failuresInRow : task.failuresInRow
  // A session that the agent no longer knows cannot be continued: the prompt is given again.
  const sessionIsLost = state.name === 'waiting' && state.wait.failure.code === 'session_lost'
  await db
    .updateTable('tasks')
    .set({
      ...(sessionIsLost ? { session: null } : {}),
      state: state.name,
      state_since: now,
      state_json: JSON.stringify(state),
      wait_until: state.name === 'waiting' ? state.wait.until : null,
      ended_at: hasEnded(state) ? state.endedAt : null,
      started_at: startedAt,
      failures_in_row: failuresInRow,
    })
    .where('id', '=', id)
    .execute()
  await insertNote(
    db,
    id,
    task.attempts === 0 ? null : fenceOf(task),
    'task_changed',
    describe(state),
    now,
  )

  if (state.name === 'waiting' || hasEnded(state)) {
    await db
      .updateTable('attempts')
      .set({ ended_at: now, ending: describe(state) })
      .where('task', '=', id)
      .where('fence', '=', task.attempts)
      .where('ended_at', 'is', null)
      .execute()
  }
  if (hasEnded(state)) await db.deleteFrom('leases').where('task', '=', id).execute()
  if (owesDelivery(task.state, state)) {
    await db
      .insertInto('deliveries')
      .values({
        id: `${id}.${state.name}`,
        task: id,
        event: state.name,
        subscriber_json: JSON.stringify(task.request.caller),
        state: 'owed',
        created_at: now,
      })
      .execute()
  }
  const session = sessionIsLost ? null : task.session
  return { ...task, state, stateSince: now, startedAt, failuresInRow, session }
}

function describe(state: TaskState): string {
  switch (state.name) {
    case 'waiting':
      return `waiting (${state.wait.reason}) after ${state.wait.failure.code}: ${state.wait.failure.message}`
    case 'failed':
      return `failed (${state.failure.code}): ${state.failure.message}`
    default:
      return state.name
  }
}
