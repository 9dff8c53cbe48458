/**
 * The life of a task as one total table: state × event → state. The store applies it in the same
 * transaction that writes the row, its log line and its deliveries, so no other order can happen.
 */
import type { Budget } from './budget.ts'
import type { Fence } from './ids.ts'
import type { Failure, Result } from './outcome.ts'
import type { Question } from './question.ts'
import { hasEnded, type Interruption, type TaskState, type TaskStateName } from './task.ts'

/** What happens to a task (`noun_phase`). Each carries the facts of the state that it leads to. */
export type Transition =
  | { readonly kind: 'attempt_claimed'; readonly fence: Fence }
  | { readonly kind: 'agent_started' }
  | { readonly kind: 'input_requested'; readonly question: Question }
  | { readonly kind: 'input_answered' }
  | {
      readonly kind: 'attempt_interrupted'
      readonly wait: Interruption
      readonly failuresInRow: number
      /** Who goes on instead, in a session of its own. Absent: the same agent. */
      readonly successor?: {
        readonly agent: string
        readonly account: string | null
        /** How many of those to fall back to have been turned to, with this one. */
        readonly fallbacks: number
      }
    }
  /** Nobody need wait any longer: it may start as soon as there is a free slot. */
  | {
      readonly kind: 'wait_ended'
      /** A larger one, from now on. */
      readonly budget?: Budget
    }
  | { readonly kind: 'dependency_failed'; readonly failure: Failure }
  /** `why`: where nobody asks for it. */
  | { readonly kind: 'cancel_requested'; readonly why?: string }
  | { readonly kind: 'attempt_succeeded'; readonly result: Result }
  | { readonly kind: 'attempt_failed'; readonly failure: Failure; readonly result: Result | null }
  | { readonly kind: 'attempt_cancelled'; readonly result: Result | null }

export type TransitionKind = Transition['kind']

/** `refused`: this cannot happen in that state. `stay`: it can, and changes nothing. */
type Cell = TaskStateName | 'refused' | 'stay'

const ended: Record<TransitionKind, Cell> = {
  attempt_claimed: 'refused',
  agent_started: 'refused',
  input_requested: 'refused',
  input_answered: 'refused',
  attempt_interrupted: 'refused',
  wait_ended: 'refused',
  dependency_failed: 'refused',
  cancel_requested: 'refused',
  attempt_succeeded: 'refused',
  attempt_failed: 'refused',
  attempt_cancelled: 'refused',
}

/** A worker that dies between launch and the next write finds its attempt still `starting`. */
const underWay: Record<TransitionKind, Cell> = {
  attempt_claimed: 'refused',
  agent_started: 'running',
  input_requested: 'needs_input',
  input_answered: 'refused',
  attempt_interrupted: 'waiting',
  wait_ended: 'refused',
  dependency_failed: 'refused',
  cancel_requested: 'cancelling',
  attempt_succeeded: 'succeeded',
  attempt_failed: 'failed',
  attempt_cancelled: 'refused',
}

export const transitions: Record<TaskStateName, Record<TransitionKind, Cell>> = {
  queued: { ...ended, attempt_claimed: 'starting', cancel_requested: 'cancelled' },
  // A waiting task has a worktree with work in it: a worker must collect it before it is cancelled.
  waiting: {
    ...ended,
    attempt_claimed: 'starting',
    // What was interrupted stays so, and is due at once: its resume says by what.
    wait_ended: 'waiting',
    cancel_requested: 'cancelling',
  },
  starting: underWay,
  running: { ...underWay, agent_started: 'stay' },
  needs_input: {
    ...underWay,
    agent_started: 'stay',
    // The next of several.
    input_requested: 'needs_input',
    input_answered: 'running',
  },
  // However the attempt ends once its end was asked for, the task is cancelled; what would be
  // continued has to be collected first.
  cancelling: {
    ...ended,
    agent_started: 'stay',
    input_requested: 'stay',
    cancel_requested: 'stay',
    attempt_interrupted: 'refused',
    attempt_succeeded: 'cancelled',
    attempt_failed: 'cancelled',
    attempt_cancelled: 'cancelled',
  },
  succeeded: ended,
  failed: ended,
  cancelled: ended,
}

/** A task that waits for others has never started: it has no attempt to claim or to collect. */
export const transitionsBeforeStart: Record<TransitionKind, Cell> = {
  ...ended,
  wait_ended: 'queued',
  dependency_failed: 'failed',
  cancel_requested: 'cancelled',
}

function rowOf(state: TaskState): Record<TransitionKind, Cell> {
  return state.name === 'waiting' && state.wait.reason === 'dependency'
    ? transitionsBeforeStart
    : transitions[state.name]
}

/**
 * The state that an event leads to, or `refused`. `fence` is the newest attempt's number (for a
 * task that is cancelled while it waits), `now` in milliseconds since 1970.
 */
export function nextState(
  from: TaskState,
  event: Transition,
  fence: Fence,
  now: number,
): TaskState | 'refused' {
  const to = rowOf(from)[event.kind]
  if (to === 'refused') return 'refused'
  if (to === 'stay') return from
  switch (to) {
    case 'queued':
      return { name: 'queued' }
    case 'cancelling':
      return { name: 'cancelling', fence, ...whyOf(event) }
    case 'starting':
    case 'running':
      return { name: to, fence: event.kind === 'attempt_claimed' ? event.fence : fence }
    case 'needs_input':
      return event.kind === 'input_requested'
        ? { name: 'needs_input', fence, question: event.question }
        : 'refused'
    case 'waiting':
      if (event.kind === 'attempt_interrupted') return { name: 'waiting', wait: event.wait }
      return from.name === 'waiting' && from.wait.reason !== 'dependency'
        ? { name: 'waiting', wait: dueNow(from.wait, now) }
        : 'refused'
    case 'succeeded':
      return event.kind === 'attempt_succeeded'
        ? { name: 'succeeded', endedAt: now, result: event.result }
        : 'refused'
    case 'failed':
      if (event.kind === 'dependency_failed') {
        return { name: 'failed', endedAt: now, failure: event.failure, result: null }
      }
      return event.kind === 'attempt_failed'
        ? { name: 'failed', endedAt: now, failure: event.failure, result: event.result }
        : 'refused'
    case 'cancelled':
      return {
        name: 'cancelled',
        endedAt: now,
        result: 'result' in event ? event.result : null,
        ...whyOf(from.name === 'cancelling' ? from : event),
      }
  }
}

/** What is known of why it is cancelled. */
function whyOf(said: TaskState | Transition): { readonly why?: string } {
  return 'why' in said && said.why !== undefined ? { why: said.why } : {}
}

/** A budget that was raised leaves a pause that is over. */
function dueNow(wait: Interruption, now: number): Interruption {
  return wait.reason === 'budget'
    ? { reason: 'backoff', until: now, failure: wait.failure }
    : { ...wait, until: now }
}

/**
 * What is owed to whoever asked: that a task has ended, and that its agent asks something. Names it
 * within the task, so that nothing is owed twice; undefined: nothing is.
 */
export function deliveryFor(from: TaskState, to: TaskState): string | undefined {
  if (!hasEnded(from) && hasEnded(to)) return to.name
  return to.name === 'needs_input' ? `${to.name}.${to.fence}.${to.question.id}` : undefined
}
