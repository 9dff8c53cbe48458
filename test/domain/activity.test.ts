/** How long an agent was at work: machines sleep, workers are killed, and neither is work. */
import { expect, test } from 'vitest'
import { type Activity, addEvents, addLook } from '../../src/domain/activity.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import { HEALTHY_MS } from '../../src/domain/backoff.ts'

const HOUR = 3_600_000
const none: Activity = { activeMs: 0, fruitlessMs: 0 }
const looks = (count: number, elapsedMs: number) => Array<number>(count).fill(elapsedMs)

const spans: [string, readonly number[], number][] = [
  ['a minute of looks', looks(120, 500), 60_000],
  ['a loaded machine, on which looks come late', looks(12, 5_000), 60_000],
  [
    'a laptop that slept for ten hours in between',
    [...looks(60, 500), 10 * HOUR, ...looks(60, 500)],
    70_000,
  ],
  ['one that woke each hour for a moment', looks(10, HOUR), 100_000],
  ['a clock that goes back', [500, -HOUR, 500], 1_000],
]

test.each(spans)('%s', (_, gaps, expected) => {
  expect(gaps.reduce(addLook, none)).toEqual({ activeMs: expected, fruitlessMs: expected })
})

test('a night asleep makes no attempt healthy', () => {
  const { activeMs } = [...looks(20, 500), 10 * HOUR].reduce(addLook, none)
  expect(activeMs).toBeLessThan(HEALTHY_MS)
})

const event = (kind: string) => ({ kind }) as AgentEvent

test('something done ends a fruitless while, not the time at work', () => {
  const before = { activeMs: 7, fruitlessMs: 9 }
  for (const kind of ['message_ended', 'command_ended', 'files_changed', 'output_given']) {
    expect(addEvents(before, [event('turn_started'), event(kind)])).toEqual({
      activeMs: 7,
      fruitlessMs: 0,
    })
  }
})

test('that it began, warned or failed is nothing done', () => {
  const before = { activeMs: 7, fruitlessMs: 9 }
  for (const kind of [
    'session_started',
    'turn_started',
    'command_started',
    'error_given',
    'other',
  ]) {
    expect(addEvents(before, [event(kind)])).toEqual(before)
  }
  expect(addEvents(before, [])).toEqual(before)
})
