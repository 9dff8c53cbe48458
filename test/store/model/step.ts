/** One step of the model: what it does, and the look that follows. */
import type { DatabaseSync } from 'node:sqlite'
import type fc from 'fast-check'
import { expect } from 'vitest'
import type { Store } from '../../../src/ports/store.ts'
import type { Expected } from './expected.ts'
import { differences, look, type Rows, wrongRows, wrongSteps } from './look.ts'

export interface Real {
  store: Store
  readonly raw: DatabaseSync
  readonly reopen: () => Promise<Store>
  seen: Rows
}

export type Step = fc.AsyncCommand<Expected, Real>

/** A step, and afterwards all that must hold. */
export function step(
  name: string,
  can: (expected: Expected) => boolean,
  run: (expected: Expected, real: Real) => Promise<void>,
): Step {
  return {
    toString: () => name,
    check: expected => can(expected),
    async run(expected, real) {
      await run(expected, real)
      verify(expected, real)
    },
  }
}

function verify(expected: Expected, real: Real): void {
  const rows = look(real.raw)
  const found = [
    ...wrongSteps(real.seen, rows),
    ...wrongRows(real.raw, rows),
    ...differences(real.raw, rows, expected),
  ]
  real.seen = rows
  expect(found).toEqual([])
}

export const nth = <T>(all: readonly T[], n: number): T => {
  const one = all[n % all.length]
  if (one === undefined) throw new Error('`check` has let an empty list through')
  return one
}
