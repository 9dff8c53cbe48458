/** Moving tasks through their states. */
import type { Kysely } from 'kysely'
import { reach } from '../domain/crash-points.ts'
import type { Fence, TaskId } from '../domain/ids.ts'
import { endOfWait, hasEnded, type Task, type TaskState } from '../domain/task.ts'
import { nextState, type Transition } from '../domain/transitions.ts'
import { oweAllIdle, oweDeliveries, withdrawQuestion } from './deliveries.ts'
import { tellDependents } from './dependencies.ts'
import { insertNote } from './events.ts'
import { noteLimit } from './limits.ts'
import { forgetHeard, isAnythingUnheard, listMessages } from './messages.ts'
import type { Database, Db } from './schema.ts'
import { describeWait, fenceOf, findTask } from './tasks.ts'

/** One transition, one transaction: the row, its log line, its lease and its deliveries. */
export async function transition(
  db: Kysely<Database>,
  id: TaskId,
  fence: Fence | null,
  event: Transition,
  now: number,
  ending?: string,
): Promise<Task | undefined> {
  return await db.transaction().execute(async transaction => {
    const task = await findTask(transaction, id)
    if (task === undefined) return undefined
    if (fence !== null && fence !== task.attempts) return undefined
    const moved = await moveTask(transaction, task, event, now, ending)
    reach('transition.written')
    return moved
  })
}

/** Within a transaction, with all that hangs on it. Undefined: the transition table refuses it. */
export async function moveTask(
  db: Db,
  task: Task,
  event: Transition,
  now: number,
  ending?: string,
): Promise<Task | undefined> {
  const moved = await moveOne(db, task, event, now, ending)
  if (moved !== undefined && !hasEnded(task.state) && hasEnded(moved.state)) {
    await oweAllIdle(db, moved, now)
  }
  return moved
}

async function moveOne(
  db: Db,
  task: Task,
  event: Transition,
  now: number,
  ending?: string,
): Promise<Task | undefined> {
  const id = task.request.id
  const state = nextState(task.state, event, fenceOf(task), now)
  if (state === 'refused') return undefined
  if (state === task.state) return task
  // Whoever has said something more is told what comes of it.
  if (state.name === 'succeeded' && (await isAnythingUnheard(db, id))) return undefined

  const startedAt = task.startedAt ?? (event.kind === 'agent_started' ? now : null)
  const runs = task.runs + (event.kind === 'agent_started' ? 1 : 0)
  const failuresInRow =
    event.kind === 'attempt_interrupted' ? event.failuresInRow : task.failuresInRow
  // A session that the agent no longer knows cannot be continued: the prompt is given again.
  const wait = state.name === 'waiting' ? state.wait : null
  const isLost = wait !== null && wait.reason === 'backoff' && wait.failure.code === 'session_lost'
  // Nor can anybody else's.
  const successor = event.kind === 'attempt_interrupted' ? event.successor : undefined
  const dropsSession = isLost || successor !== undefined
  const { agent, account, fallbacks } = successor ?? task
  const budget =
    event.kind === 'wait_ended' && event.budget !== undefined ? event.budget : task.budget
  // What was collected is newer.
  const isCollected = hasEnded(state) && state.result?.commit != null
  await db
    .updateTable('tasks')
    .set({
      ...(dropsSession ? { session: null } : {}),
      ...(isCollected ? { snapshot_json: null } : {}),
      agent,
      account,
      fallbacks,
      budget_json: budget === null ? null : JSON.stringify(budget),
      state: state.name,
      state_since: now,
      state_json: JSON.stringify(state),
      wait_until: wait === null ? null : endOfWait(wait),
      ended_at: hasEnded(state) ? state.endedAt : null,
      started_at: startedAt,
      failures_in_row: failuresInRow,
      runs,
    })
    .where('id', '=', id)
    .execute()
  if (dropsSession) await forgetHeard(db, id)
  const fence = task.attempts === 0 ? null : fenceOf(task)
  if (state.name === 'waiting' || hasEnded(state)) {
    const closed = await db
      .updateTable('attempts')
      .set({ ended_at: now, ending: describe(state) })
      .where('task', '=', id)
      .where('fence', '=', task.attempts)
      .where('ended_at', 'is', null)
      .executeTakeFirst()
    // One that was interrupted, and is cancelled while it waits, has ended before.
    if (ending !== undefined && closed.numUpdatedRows > 0n) {
      await insertNote(db, id, fence, 'attempt_ended', ending, now)
    }
  }
  await insertNote(db, id, fence, 'task_changed', describe(state), now)
  if (hasEnded(state)) await noteUnheard(db, id, fence, now)
  if (successor !== undefined) {
    await insertNote(db, id, fence, 'task_changed', `${agent} goes on`, now)
  }
  await noteLimit(db, { ...task, account }, event, state, now)
  if (hasEnded(state)) {
    await db.deleteFrom('leases').where('task', '=', id).execute()
    await tellDependents(db, id, state, now, moveOne)
  }
  await withdrawQuestion(db, task, now)
  await oweDeliveries(db, task, state, now)
  const session = dropsSession ? null : task.session
  const snapshot = isCollected ? null : task.snapshot
  const moved = { state, stateSince: now, startedAt, failuresInRow, runs, session, snapshot }
  return { ...task, ...moved, agent, account, fallbacks, budget }
}

async function noteUnheard(db: Db, id: TaskId, fence: Fence | null, now: number): Promise<void> {
  const unheard = (await listMessages(db, id)).filter(({ heardAt }) => heardAt === null)
  if (unheard.length === 0) return
  const numbers = unheard.map(({ number }) => number).join(', ')
  const text = `its agent has not heard message ${numbers}: whoever goes on with it is told`
  await insertNote(db, id, fence, 'task_changed', text, now)
}

function describe(state: TaskState): string {
  switch (state.name) {
    case 'waiting':
      return describeWait(state.wait)
    case 'needs_input':
      return `asks: ${state.question.text}`
    case 'failed':
      return `failed (${state.failure.code}): ${state.failure.message}`
    case 'cancelling':
    case 'cancelled':
      return state.why === undefined ? state.name : `${state.name} as ${state.why}`
    default:
      return state.name
  }
}
