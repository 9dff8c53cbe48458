/**
 * Runs `as-nobody-program.ts` as a user for whom file modes count: the tests' own user may be
 * root, who can read and remove everything.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { NOBODY } from '../other-users.ts'
import type { Scene } from './scene.ts'

const program = join(import.meta.dirname, 'as-nobody-program.ts')

/**
 * `closed`: paths that its user may then not open. `owner`: whose the scene is, while it runs; root
 * only where the tests run as root. Gives the JSON that the program prints.
 */
export async function runAsNobody(
  scene: Scene,
  args: readonly string[],
  closed: readonly string[] = [],
  owner: 'nobody' | 'root' = 'nobody',
): Promise<unknown> {
  const isRoot = process.getuid?.() === 0
  const own = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  if (isRoot && owner === 'nobody') {
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, scene.top])
  }
  for (const path of closed) chmodSync(path, 0)
  try {
    const printed = execFileSync(process.execPath, [program, scene.top, ...args], {
      ...own,
      env: scene.environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return JSON.parse(printed)
  } finally {
    for (const path of closed) {
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) chmodSync(path, 0o700)
    }
    if (isRoot) execFileSync('chown', ['-R', '0:0', scene.top])
  }
}
