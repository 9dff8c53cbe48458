/** When a silent agent is taken for one that stands still. */
import { expect, test } from 'vitest'
import { type Exertion, IDLING } from '../../src/domain/stall.ts'
import { watchStall } from '../../src/engine/watch-stall.ts'
import type { AttemptProcesses, ProcessHost } from '../../src/ports/process-host.ts'

test('a worker that was held up gives nobody up for what it has not seen', () => {
  let exertion: Exertion = { cpuMs: 0, ioBytes: 0, processes: 1 }
  const host = { lastOutputAt: () => 1, measure: () => exertion } as unknown as ProcessHost
  const watch = watchStall({} as AttemptProcesses, 4_000, IDLING, 0, host)
  expect(watch.look(500)).toBeNull()
  // It comes back: who is silent now may have been at work, and is.
  expect(watch.look(60_000)).toBeNull()
  exertion = { ...exertion, cpuMs: 900 }
  expect(watch.look(61_000)).toBeNull()
  for (const now of [62_000, 63_000, 64_000]) expect(watch.look(now)).toBeNull()
  expect(watch.look(65_000)).toEqual({ silentMs: 4_000, exertion })
})
