/** Tests of the system's confinement: they run where there is one, and say elsewhere why not. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'vitest'
import { messageOf } from '../src/domain/errors.ts'
import { loadConfinement } from '../src/process/confinement/confinement.ts'

const reason = await (
  await loadConfinement({
    home: '/nowhere',
    toolPath: process.env.PATH ?? '',
    isSandboxed: async () => false,
  })
)
  .requireWorking()
  .then(
    () => null,
    (error: unknown) => messageOf(error),
  )

/** Why this machine cannot confine a program; null: it can. */
export const whyUnconfined = reason
export const canConfine = reason === null

/** A test that needs a confinement that works. */
export function confinedTest(name: string, run: () => Promise<void>, limitMs?: number): void {
  if (reason === null) test(name, run, limitMs)
  else test.skip(`${name} (skipped: ${reason})`, run)
}

/** A place outside of `/tmp`, of which confined programs see nothing. */
export function visibleParent(): string {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast')
  mkdirSync(cache, { recursive: true })
  return cache
}

const made: string[] = []

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})

/** A directory of the running test's own there. */
export function visibleScratch(): string {
  const path = mkdtempSync(join(visibleParent(), 'test-'))
  made.push(path)
  return path
}
