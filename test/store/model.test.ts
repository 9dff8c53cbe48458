/**
 * Any steps in any order, by anybody: after each one the store holds what it must, and nothing that
 * never may be. `MODEL_RUNS=5000` tries longer; a failure names its seed and path, which
 * `MODEL_SEED=… MODEL_PATH=…` play again.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { onReach } from '../../src/domain/crash-points.ts'
import { STORE_FILE } from '../../src/store/home.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'
import { anySteps } from './model/commands.ts'
import { Expected } from './model/expected.ts'
import { look } from './model/look.ts'
import type { Real } from './model/step.ts'

const RUNS = Number(process.env.MODEL_RUNS ?? 80)
const MOST_STEPS = 60
/** Of a failure that is made smaller: what is found by then is told. */
const LIMIT_MS = 40_000

const replay = {
  ...(process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) }),
  ...(process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH }),
}

test(`the store is what its model says, over ${RUNS} lives of up to ${MOST_STEPS} steps`, {
  timeout: 60_000 + RUNS * 1_000,
}, async () => {
  const scratch = scratchDirectory()
  const empty = join(scratch, 'empty')
  await (await openSqliteStore(empty, systemClock)).close()
  let taken = 0
  const live = fc.asyncProperty(anySteps(MOST_STEPS), async steps => {
    const directory = mkdtempSync(join(scratch, 'life-'))
    cpSync(empty, directory, { recursive: true })
    const reopen = () => openSqliteStore(directory, systemClock)
    const store = await reopen()
    const raw = new DatabaseSync(join(directory, STORE_FILE), { readOnly: true })
    const real: Real = { store, raw, reopen, seen: look(raw) }
    try {
      await fc.asyncModelRun(() => ({ model: new Expected(), real }), steps)
      taken += real.seen.size
      expect(await real.store.checkIntegrity()).toEqual([])
    } finally {
      onReach(() => undefined)
      raw.close()
      await real.store.close()
      rmSync(directory, { recursive: true })
    }
  })
  await fc.assert(live, {
    numRuns: RUNS,
    ...replay,
    interruptAfterTimeLimit: LIMIT_MS + RUNS * 500,
  })
  expect(taken).toBeGreaterThan(0)
})
