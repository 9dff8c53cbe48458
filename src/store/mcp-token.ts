import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'

/**
 * What lets a client in that comes over HTTP: made at the first time, the same ever after, readable
 * by its owner alone. `home` is there, and private. Removed by its owner, a new one is made.
 */
export function keepMcpToken(home: string): { readonly path: string; readonly value: string } {
  const path = join(home, 'mcp-token')
  if (!existsSync(path)) makeToken(path)
  const value = readFileSync(path, 'utf8').trim()
  if (value.length >= 32) return { path, value }
  throw new AppError('store_unreadable', `there is no token in ${path}`, {
    hint: `remove it: rm ${path}; a new one is made`,
  })
}

/** Whole or not at all; of two that make one at once, the first one's stays. */
function makeToken(path: string): void {
  const scratch = `${path}.new`
  rmSync(scratch, { force: true })
  writeFileSync(scratch, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  reach('mcp-token.written')
  try {
    linkSync(scratch, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  reach('mcp-token.kept')
  rmSync(scratch, { force: true })
}
