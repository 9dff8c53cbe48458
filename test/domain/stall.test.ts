import { describe, expect, it } from 'vitest'
import {
  type Exertion,
  IDLING,
  measureEveryMs,
  stallFailure,
  wasBusy,
} from '../../src/domain/stall.ts'

const idle: Exertion = { cpuMs: 1_000, ioBytes: 50_000, processes: 3 }
const MINUTE = 60_000

describe('whether anything was done between two looks', () => {
  it.each<[string, Partial<Exertion>, boolean]>([
    ['nothing at all', {}, false],
    ['an event loop that wakes up now and then', { cpuMs: 1_000 + 600 }, false],
    ['a keep-alive', { ioBytes: 50_000 + 8_000 }, false],
    ['a test suite that says nothing', { cpuMs: 1_000 + 30_000 }, true],
    ['a download', { ioBytes: 50_000 + 5_000_000 }, true],
    ['a process that has come', { processes: 4 }, true],
    ['one that has gone, with what it had used', { processes: 2, cpuMs: 500 }, true],
    ['one that has gone for another', { cpuMs: 200, ioBytes: 900 }, true],
  ])('%s', (_name, after, busy) => {
    expect(wasBusy(idle, { ...idle, ...after }, MINUTE, IDLING)).toBe(busy)
  })

  it('an agent that is restless while it waits is allowed to be', () => {
    const restless = { cpuShare: 0.1, ioBytesPerMinute: 6_000_000 }
    const waits = { ...idle, cpuMs: 1_000 + 4_000, ioBytes: 50_000 + 3_600_000 }
    expect(wasBusy(idle, waits, MINUTE, IDLING)).toBe(true)
    expect(wasBusy(idle, waits, MINUTE, restless)).toBe(false)
    const works = { ...idle, cpuMs: 1_000 + 30_000 }
    expect(wasBusy(idle, works, MINUTE, restless)).toBe(true)
  })
})

it('is looked at several times until it is a stall, and no more often than it has to be', () => {
  expect(measureEveryMs(10 * MINUTE)).toBe(MINUTE)
  expect(measureEveryMs(4_000)).toBe(1_000)
})

it('says for how long, and what its processes are like', () => {
  expect(stallFailure(612_345, idle)).toMatchObject({
    code: 'stalled',
    message: 'the agent said nothing for 612 s, 3 of its processes idle',
  })
  expect(stallFailure(612_345, null).message).toBe('the agent said nothing for 612 s')
})
