/**
 * What becomes of a task whose row was lost, or is damaged, from what is still there: the plain
 * columns of the row, the copies in its task directory, and its run directories. Pure.
 */
import { asFence } from './ids.ts'
import type { Result } from './outcome.ts'
import {
  activeStates,
  type EndedState,
  endedStates,
  type TaskRequest,
  type TaskState,
} from './task.ts'

/** What the plain columns of a damaged row still say. */
export interface RowRemains {
  readonly state: string
  readonly attempts: number
  readonly waitUntil: number | null
  readonly endedAt: number | null
}

export interface RestoredFacts {
  readonly request: TaskRequest
  /** Null: there is no row. */
  readonly row: RowRemains | null
  /** The copy of its end, which is written once it has ended; null: there is none. */
  readonly end: EndedState | null
  /** Its environment goes when it ends. */
  readonly hasEnvironment: boolean
  /** The numbers of its run directories. */
  readonly runs: readonly number[]
}

/** A task that had not ended goes on: what its processes come to is for the recovery verdict. */
export function restoredState(facts: RestoredFacts, now: number): TaskState {
  const { request, row, end, hasEnvironment, runs } = facts
  if (end !== null) return end
  if (row !== null) return stateOfRow(row, request, now)
  if (!hasEnvironment) return lost('failed', now)
  const newest = Math.max(0, ...runs)
  return newest === 0 ? notStarted(request) : { name: 'running', fence: asFence(newest) }
}

function stateOfRow(row: RowRemains, request: TaskRequest, now: number): TaskState {
  const { state, attempts, waitUntil, endedAt } = row
  const ended = endedStates.find(name => name === state)
  if (ended !== undefined) return lost(ended, endedAt ?? now)
  if (state === 'cancelling') return { name: 'cancelling', fence: asFence(attempts) }
  // A question that was lost is asked again.
  if (activeStates.some(name => name === state))
    return { name: 'running', fence: asFence(attempts) }
  if (state !== 'waiting' || waitUntil === null) return notStarted(request)
  const failure = { code: 'record_lost', message: 'why it waits was lost with its row' } as const
  return { name: 'waiting', wait: { reason: 'backoff', until: waitUntil, failure } }
}

/** Those that it is to wait for are looked at when it is written down. */
function notStarted({ after }: TaskRequest): TaskState {
  return after.length === 0
    ? { name: 'queued' }
    : { name: 'waiting', wait: { reason: 'dependency', on: after } }
}

const LOST = 'what it came to was lost with its row; patch and output are in its task directory'

function lost(name: EndedState['name'], endedAt: number): EndedState {
  const result: Result = {
    answer: null,
    commit: null,
    files: 0,
    insertions: 0,
    deletions: 0,
    leftOut: [LOST],
  }
  if (name !== 'failed') return { name, endedAt, result }
  return { name, endedAt, failure: { code: 'record_lost', message: LOST }, result }
}
