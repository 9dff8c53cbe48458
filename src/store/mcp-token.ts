import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import type { Locks } from '../ports/lock.ts'
import { writePrivately } from './private-file.ts'

const LOCK = 'mcp-token'
/** Only the making of it is done under the lock. */
const LOCK_LIMIT_MS = 10_000

/**
 * What lets a client in that comes over HTTP: made at the first time, the same ever after, readable
 * by its owner alone. `home` is there, and private. Where its owner removes it, a new one is made.
 */
export async function keepMcpToken(
  home: string,
  locks: Locks,
): Promise<{ readonly path: string; readonly value: string }> {
  const path = join(home, 'mcp-token')
  await locks.withLock(LOCK, LOCK_LIMIT_MS, async () => {
    if (!existsSync(path)) writePrivately(path, `${randomBytes(32).toString('base64url')}\n`)
  })
  const value = readFileSync(path, 'utf8').trim()
  if (value.length >= 32) return { path, value }
  throw new AppError('store_unreadable', `there is no token in ${path}`, {
    hint: `remove it, and a new one is made: rm ${path}`,
  })
}
