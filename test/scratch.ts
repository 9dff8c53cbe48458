import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

const made: string[] = []

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})

/** A directory of the running test's own, which goes with it. */
export function scratchDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  made.push(path)
  return path
}
