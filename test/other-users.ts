/** Tests that run programs as another user: they run where that user can reach them, and say elsewhere why not. */
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { test } from 'vitest'

export const NOBODY = 65534
const isRoot = process.getuid?.() === 0

/** Of node, the checkout and the temporary directory, the first that nobody gets at. */
const LOOK = `cd / && [ -x "$1" ] || { echo "$1"; exit; }
[ -r "$2" ] || { echo "$2"; exit; }
cd "$3" 2>/dev/null || echo "$3"`

/** Null: another user can reach all that a test uses. */
function findUnreachable(): string | null {
  const places = [process.execPath, import.meta.filename, tmpdir()]
  const options = { uid: NOBODY, gid: NOBODY, cwd: '/', encoding: 'utf8' } as const
  const { stdout, error } = spawnSync('/bin/sh', ['-c', LOOK, 'look', ...places], options)
  if (error !== undefined) throw error
  return stdout.trim() === '' ? null : `another user cannot reach ${stdout.trim()}`
}

const unreachable = isRoot ? findUnreachable() : null

/** A test for whose user file modes count: root has it run as another. */
export function plainUserTest(name: string, run: () => Promise<void>): void {
  if (unreachable === null) test(name, run)
  else test.skip(`${name} (skipped: ${unreachable})`, run)
}

/** A test with users beside the one who runs it. */
export function otherUserTest(name: string, run: () => Promise<void>): void {
  if (isRoot) plainUserTest(name, run)
  else test.skip(`${name} (skipped: only root can be another user)`, run)
}
