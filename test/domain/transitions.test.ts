import { expect, test } from 'vitest'
import { asFence } from '../../src/domain/ids.ts'
import type { Result } from '../../src/domain/outcome.ts'
import type { TaskState, TaskStateName } from '../../src/domain/task.ts'
import {
  deliveryFor,
  nextState,
  type Transition,
  type TransitionKind,
  transitions,
  transitionsBeforeStart,
} from '../../src/domain/transitions.ts'

const result: Result = {
  answer: 'done',
  commit: null,
  files: 0,
  insertions: 0,
  deletions: 0,
  leftOut: [],
}
const failure = { code: 'agent_crashed', message: 'gone' } as const
const wait = { reason: 'backoff', until: 9, failure } as const
const fence = asFence(3)

const states: Record<TaskStateName, TaskState> = {
  queued: { name: 'queued' },
  starting: { name: 'starting', fence },
  running: { name: 'running', fence },
  needs_input: { name: 'needs_input', fence, question: { id: 'q1', text: 'which?', options: [] } },
  waiting: { name: 'waiting', wait },
  cancelling: { name: 'cancelling', fence },
  succeeded: { name: 'succeeded', endedAt: 1, result },
  failed: { name: 'failed', endedAt: 1, failure, result: null },
  cancelled: { name: 'cancelled', endedAt: 1, result: null },
}

const events: Record<TransitionKind, Transition> = {
  attempt_claimed: { kind: 'attempt_claimed', fence: asFence(4) },
  agent_started: { kind: 'agent_started' },
  input_requested: { kind: 'input_requested', question: { id: 'q2', text: 'what?', options: [] } },
  input_answered: { kind: 'input_answered' },
  attempt_interrupted: { kind: 'attempt_interrupted', wait, failuresInRow: 1 },
  wait_ended: { kind: 'wait_ended' },
  dependency_failed: { kind: 'dependency_failed', failure },
  cancel_requested: { kind: 'cancel_requested' },
  attempt_succeeded: { kind: 'attempt_succeeded', result },
  attempt_failed: { kind: 'attempt_failed', failure, result },
  attempt_cancelled: { kind: 'attempt_cancelled', result },
}

const names = Object.keys(states) as TaskStateName[]
const kinds = Object.keys(events) as TransitionKind[]

test('every state answers every event with the state that its table names', () => {
  for (const from of names) {
    for (const kind of kinds) {
      const to = transitions[from][kind]
      const next = nextState(states[from], events[kind], fence, 77)
      const expected = to === 'stay' ? from : to
      expect([from, kind, next === 'refused' ? next : next.name]).toEqual([from, kind, expected])
    }
  }
})

test('a task that waits for others answers as its own row of the table says', () => {
  const before: TaskState = { name: 'waiting', wait: { reason: 'dependency', on: [] } }
  for (const kind of kinds) {
    const next = nextState(before, events[kind], fence, 77)
    expect([kind, next === 'refused' ? next : next.name]).toEqual([
      kind,
      transitionsBeforeStart[kind],
    ])
  }
})

test('a backoff that is ended is due at once, and keeps what interrupted it', () => {
  const next = nextState(states.waiting, events.wait_ended, fence, 5)
  expect(next).toEqual({ name: 'waiting', wait: { ...wait, until: 5 } })
})

test('an end is final', () => {
  for (const from of ['succeeded', 'failed', 'cancelled'] as const) {
    for (const kind of kinds) {
      expect(nextState(states[from], events[kind], fence, 0)).toBe('refused')
    }
  }
})

test('a task whose end was asked for is cancelled, however its attempt ends, and keeps the work', () => {
  for (const kind of ['attempt_succeeded', 'attempt_failed', 'attempt_cancelled'] as const) {
    expect(nextState(states.cancelling, events[kind], fence, 5)).toEqual({
      name: 'cancelled',
      endedAt: 5,
      result,
    })
  }
  // It carries no result: whoever wanted to go on has to collect instead.
  expect(nextState(states.cancelling, events.attempt_interrupted, fence, 5)).toBe('refused')
})

test('a claim carries the new fence, and no other event changes it', () => {
  expect(nextState(states.waiting, events.attempt_claimed, fence, 0)).toEqual({
    name: 'starting',
    fence: 4,
  })
  expect(nextState(states.starting, events.agent_started, fence, 0)).toEqual({
    name: 'running',
    fence: 3,
  })
})

test('each end owes one delivery, each question too, and nothing else does', () => {
  for (const from of names) {
    for (const kind of kinds) {
      const next = nextState(states[from], events[kind], fence, 0)
      if (next === 'refused' || next === states[from]) continue
      const owed = deliveryFor(states[from], next)
      if (['succeeded', 'failed', 'cancelled'].includes(next.name)) expect(owed).toBe(next.name)
      else expect(owed).toBe(kind === 'input_requested' ? 'needs_input.3.q2' : undefined)
    }
  }
})

test('a pause for a larger budget is over at once, and keeps what interrupted it', () => {
  const before: TaskState = { name: 'waiting', wait: { reason: 'budget', failure } }
  const budget = { kind: 'usd', usd: 5 } as const
  expect(nextState(before, { kind: 'wait_ended', budget }, fence, 5)).toEqual({
    name: 'waiting',
    wait: { reason: 'backoff', until: 5, failure },
  })
})
