/** When a silent agent is taken for one that stands still. */
import { expect, test } from 'vitest'
import { type Exertion, IDLING } from '../../src/domain/stall.ts'
import { watchStall } from '../../src/engine/watch-stall.ts'
import type { AttemptProcesses, ProcessHost } from '../../src/ports/process-host.ts'

test('a worker that was held up gives nobody up for what it has not seen', () => {
  let exertion: Exertion = { cpuMs: 0, ioBytes: 0, processes: 1 }
  const host = { lastOutputAt: () => 1, measure: () => exertion } as unknown as ProcessHost
  const watch = watchStall({} as AttemptProcesses, 4_000, IDLING, 0, host)
  expect(watch.look(500, false)).toBeNull()
  // It comes back: who is silent now may have been at work, and is.
  expect(watch.look(60_000, false)).toBeNull()
  exertion = { ...exertion, cpuMs: 900 }
  expect(watch.look(61_000, false)).toBeNull()
  for (const now of [62_000, 63_000, 64_000]) expect(watch.look(now, false)).toBeNull()
  expect(watch.look(65_000, false)).toEqual({ silentMs: 4_000, exertion })
})

test('what it wrote to stderr counts, and is asked for only when its processes would be measured', () => {
  let [said, asked, measured] = [1, 0, 0]
  const lastOutputAt = () => {
    asked++
    return said
  }
  const measure = () => {
    measured++
    return { cpuMs: 0, ioBytes: 0, processes: 1 }
  }
  const host = { lastOutputAt, measure } as unknown as ProcessHost
  const watch = watchStall({} as AttemptProcesses, 4_000, IDLING, 0, host)
  for (let now = 100; now < 10_000; now += 100) {
    expect(watch.look(now, now % 200 === 0)).toBeNull()
  }
  expect([measured, asked]).toEqual([0, 50])
  for (let now = 10_000; now < 13_000; now += 100) expect(watch.look(now, false)).toBeNull()
  expect([measured, asked]).toEqual([3, 53])
  said++
  for (let now = 13_000; now < 17_800; now += 100) expect(watch.look(now, false)).toBeNull()
  expect(watch.look(17_800, false)).toMatchObject({ silentMs: 4_000 })
})
