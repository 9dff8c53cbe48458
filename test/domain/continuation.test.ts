import { expect, test } from 'vitest'
import {
  backoffDelay,
  countFailures,
  HEALTHY_MS,
  MAX_FAILURES_IN_ROW,
} from '../../src/domain/backoff.ts'
import { continueAfter } from '../../src/domain/continuation.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'

const crashed = { code: 'agent_crashed', message: 'killed by signal 9' } as const
const unlaunched = { code: 'launch_failed', message: 'no pid' } as const

function task(facts: Partial<Task>): Task {
  return { session: null, attempts: 1, failuresInRow: 0, ...facts } as Task
}

test('the first resume comes after exactly 2 s, later ones double up to 12 min', () => {
  expect(backoffDelay(1, 0)).toBe(2_000)
  expect(backoffDelay(1, 0.99)).toBe(2_000)
  expect(backoffDelay(2, 0.5)).toBe(4_000)
  expect(backoffDelay(8, 0.5)).toBe(256_000)
  expect(backoffDelay(40, 0.5)).toBe(720_000)
})

test('later delays are spread by a fifth to both sides', () => {
  expect(backoffDelay(3, 0)).toBe(6_400)
  expect(backoffDelay(3, 0.999_999)).toBe(9_600)
})

test('an attempt that lived for a healthy while sets the count back', () => {
  expect(countFailures(5, HEALTHY_MS - 1)).toBe(6)
  expect(countFailures(5, HEALTHY_MS)).toBe(1)
})

test('a session that is known is continued', () => {
  const next = continueAfter(
    task({ session: asSessionId('s') }),
    crashed,
    'session',
    1_000,
    50_000,
    0.5,
  )
  expect(next).toEqual({
    kind: 'wait',
    wait: { reason: 'backoff', until: 52_000, failure: crashed },
    failuresInRow: 1,
  })
})

test('without a session the prompt is given once more, and not twice', () => {
  const once = continueAfter(task({ attempts: 1 }), crashed, 'session', 0, 0, 0)
  expect(once.kind).toBe('wait')
  const twice = continueAfter(task({ attempts: 2, failuresInRow: 1 }), crashed, 'session', 0, 0, 0)
  expect(twice.kind === 'give_up' && twice.failure.code).toBe('max_failures')
})

test('after eight crashes in a row it is over', () => {
  const before = { session: asSessionId('s'), attempts: 8 }
  const seventh = task({ ...before, failuresInRow: MAX_FAILURES_IN_ROW - 2 })
  const eighth = task({ ...before, failuresInRow: MAX_FAILURES_IN_ROW - 1 })
  expect(continueAfter(seventh, crashed, 'session', 0, 0, 0).kind).toBe('wait')
  expect(continueAfter(eighth, crashed, 'session', 0, 0, 0).kind).toBe('give_up')
})

test('what may not be run twice is not, unless it never ran', () => {
  expect(continueAfter(task({}), crashed, 'no', 0, 0, 0)).toEqual({
    kind: 'give_up',
    failure: crashed,
  })
  const next = continueAfter(task({}), unlaunched, 'no', 0, 7, 0)
  expect(next.kind === 'wait' && next.wait.until).toBe(7)
})
