import { expect, test } from 'vitest'
import type { Activity } from '../../src/domain/activity.ts'
import {
  backoffDelay,
  CLOCK_SLACK_MS,
  countFailures,
  HEALTHY_MS,
  MAX_FAILURES_IN_ROW,
  MAX_FRUITLESS_MS,
  waitIsOver,
} from '../../src/domain/backoff.ts'
import { type Continues, continueAfter } from '../../src/domain/continuation.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'

const crashed = { code: 'agent_crashed', message: 'killed by signal 9' } as const
const unlaunched = { code: 'launch_failed', message: 'no pid' } as const
const HOUR = 3_600_000
const session = asSessionId('s')

function task(facts: Partial<Task>): Task {
  const request = { maxFailures: MAX_FAILURES_IN_ROW }
  return { request, session: null, attempts: 1, runs: 1, failuresInRow: 0, ...facts } as Task
}

const active = (activeMs: number, fruitlessMs = activeMs): Activity => ({ activeMs, fruitlessMs })

const delays: [number, number, number][] = [
  [1, 0, 2_000],
  [1, 0.99, 2_000],
  [2, 0.5, 4_000],
  [3, 0, 6_400],
  [3, 0.999_999, 9_600],
  [8, 0.5, 256_000],
  [40, 0.5, 720_000],
]

test.each(delays)(
  'after crash %i (chance %d) the next try comes in %i ms',
  (crashes, chance, ms) => {
    expect(backoffDelay(crashes, chance)).toBe(ms)
  },
)

test('an attempt that was at work for a healthy while sets the count back', () => {
  expect(countFailures(5, active(HEALTHY_MS - 1))).toBe(6)
  expect(countFailures(5, active(HEALTHY_MS))).toBe(1)
})

test('a session that is known is continued', () => {
  const next = continueAfter(task({ session }), crashed, 'session', active(1_000), 50_000, 0.5)
  expect(next).toEqual({
    kind: 'wait',
    wait: { reason: 'backoff', until: 52_000, failure: crashed },
    failuresInRow: 1,
  })
})

test('who is out of memory is tried three times in a row, and says so in the end', () => {
  const failure = { code: 'out_of_memory', message: 'killed' } as const
  const after = (failuresInRow: number) =>
    continueAfter(task({ session, failuresInRow }), failure, 'session', active(1_000), 0, 0.5)
  expect([0, 1, 2].map(after)).toMatchObject([
    { kind: 'wait', failuresInRow: 1 },
    { kind: 'wait', failuresInRow: 2 },
    { kind: 'give_up', failure },
  ])
})

/** What an agent died of, after which task, how long it was at work, and whether it is given up. */
const ends: [
  string,
  Partial<Task>,
  Continues,
  Activity,
  typeof crashed | typeof unlaunched,
  boolean,
][] = [
  ['the first run without a session', {}, 'session', active(0), crashed, false],
  ['a second one', { attempts: 2, runs: 2, failuresInRow: 1 }, 'session', active(0), crashed, true],
  [
    'the first run after six launches of which nothing ran',
    { attempts: 7, runs: 1, failuresInRow: 6 },
    'session',
    active(0),
    crashed,
    false,
  ],
  [
    'a launch of which nothing ran, after two runs',
    { attempts: 3, runs: 2 },
    'session',
    active(0),
    unlaunched,
    false,
  ],
  [
    'the eighth launch in a row of which nothing ran',
    { attempts: 8, runs: 0, failuresInRow: 7 },
    'session',
    active(0),
    unlaunched,
    true,
  ],
  [
    'the seventh crash of a session',
    { session, attempts: 7, runs: 7, failuresInRow: MAX_FAILURES_IN_ROW - 2 },
    'session',
    active(0),
    crashed,
    false,
  ],
  [
    'the eighth',
    { session, attempts: 8, runs: 8, failuresInRow: MAX_FAILURES_IN_ROW - 1 },
    'session',
    active(0),
    crashed,
    true,
  ],
  [
    'the eighth, after a healthy while',
    { session, attempts: 8, runs: 8, failuresInRow: MAX_FAILURES_IN_ROW - 1 },
    'session',
    active(HEALTHY_MS),
    crashed,
    false,
  ],
  [
    'five hours of work, something done',
    { session },
    'session',
    active(5 * HOUR, HOUR),
    crashed,
    false,
  ],
  [
    'just under five hours of work, nothing done',
    { session },
    'session',
    active(HOUR, MAX_FRUITLESS_MS - 1),
    crashed,
    false,
  ],
  [
    'five hours of work over several tries, nothing done',
    { session },
    'session',
    active(HOUR, MAX_FRUITLESS_MS),
    crashed,
    true,
  ],
  ['what may not be run twice', {}, 'no', active(0), crashed, true],
  ['what may not be run twice, and did not run', { runs: 0 }, 'no', active(0), unlaunched, false],
  ['what may be run again', { attempts: 5, runs: 5 }, 'rerun', active(0), crashed, false],
]

test.each(ends)('%s', (_, facts, continues, activity, failure, isOver) => {
  const next = continueAfter(task(facts), failure, continues, activity, 0, 0)
  expect(next.kind).toBe(isOver ? 'give_up' : 'wait')
  if (next.kind === 'give_up' && continues !== 'no') expect(next.failure.code).toBe('max_failures')
})

test('what never ran is tried again at once, and then more slowly', () => {
  const at = (failuresInRow: number) => {
    const next = continueAfter(
      task({ runs: 0, failuresInRow }),
      unlaunched,
      'no',
      active(0),
      7,
      0.5,
    )
    return next.kind === 'wait' ? next.wait.until - 7 : undefined
  }
  expect([0, 1, 2].map(at)).toEqual([0, 4_000, 8_000])
})

const T = 1_000_000_000
const DAY = 86_400_000
const waits: [string, number, boolean][] = [
  ['just before its time', T + 719_999, false],
  ['at its time', T + 720_000, true],
  ['the clock was set forward by a day', T + DAY, true],
  ['the clock was set right by a second', T - 1_000, false],
  ['the clock was set back by as much as nobody does', T - CLOCK_SLACK_MS, false],
  ['the clock was set back by a day', T - DAY, true],
  ['the clock lost its battery', 0, true],
]

test.each(waits)('a wait of 12 min: %s', (_, now, isOver) => {
  expect(waitIsOver({ until: T + 720_000 }, T, now)).toBe(isOver)
})

const stalled = { code: 'stalled', message: 'silent' } as const

test.each<[string, Partial<Task>, Activity, 'wait' | 'give_up', number?]>([
  ['the first is the first', {}, active(600_000), 'wait', 1],
  [
    'of an attempt that got something done too',
    { failuresInRow: 2 },
    active(600_000, 5_000),
    'wait',
    1,
  ],
  ['a second one with nothing done', { failuresInRow: 1 }, active(600_000, 1_200_000), 'wait', 2],
  ['the third in a row is the last', { failuresInRow: 2 }, active(600_000, 1_800_000), 'give_up'],
])('of stalls, %s', (_name, facts, activity, kind, failuresInRow) => {
  const next = continueAfter(task({ session, ...facts }), stalled, 'session', activity, 0, 0.5)
  expect(next).toMatchObject(
    kind === 'wait' ? { kind, failuresInRow } : { kind, failure: { code: 'stalled' } },
  )
})

test('who was asked for patience waits for as long', () => {
  const limited = { code: 'rate_limited', message: '429' } as const
  const next = continueAfter(task({ session }), limited, 'session', active(1_000), 0, 0.5, 60_000)
  expect(next).toMatchObject({ wait: { until: 60_000 } })
})
