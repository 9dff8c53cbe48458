/**
 * Reading a store that cannot be written to: its mode or its mount says so, or a sandbox does. A
 * worker outside may be writing to it at the same moment.
 */
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import { AppError } from '../domain/errors.ts'
import { STORE_FILE } from './home.ts'
import {
  BUSY_TIMEOUT_MS,
  type OpenedDatabase,
  openFile,
  requireKnownVersion,
  STORE_VERSION,
} from './open.ts'
import type { Database } from './schema.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import { storeError } from './store-error.ts'

/** Beside a live writer, in its own log: what it writes is seen. Else as a copy of this moment. */
export async function openReadOnly(file: string): Promise<OpenedDatabase> {
  return openBeside(file) ?? (await openCopy(file))
}

/**
 * With the writer's log and its index there, SQLite reads along and shares the writer's locks.
 * Without them it would have to make them. Undefined: so it is, or an older store is yet to be
 * brought up to date.
 */
function openBeside(file: string): OpenedDatabase | undefined {
  let raw: DatabaseSync | undefined
  try {
    raw = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
    if (requireKnownVersion(raw, file) === STORE_VERSION) {
      return { raw, db: new Kysely<Database>({ dialect: sqliteDialect(raw) }), isReadOnly: true }
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    // Whatever it is: if the copy cannot be opened either, that says why.
  }
  raw?.close()
  return undefined
}

const TRIES = 50
/** Times of files are kept to a tick of the kernel's clock, which is 10 ms at the longest. */
const TICK_MS = 20

/**
 * The store and its log are one only as they lie there at one moment: copied again until neither
 * has changed meanwhile. (SQLite would read a store without locks, as "immutable": torn, should a
 * writer come.) The copy is open, and gone from the disk, when this returns.
 */
async function openCopy(file: string): Promise<OpenedDatabase> {
  let directory: string | undefined
  try {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-read-'))
    const copy = join(directory, STORE_FILE)
    for (let tries = 1; !copyInOneMoment(file, copy); tries++) {
      if (tries === TRIES) throw new Error('it changes all the time')
      await sleep(TICK_MS)
    }
    const opened = await openFile(copy, raw => raw.exec('PRAGMA journal_mode = DELETE'))
    opened.raw.exec('PRAGMA query_only = 1')
    return { ...opened, isReadOnly: true }
  } catch (error) {
    throw storeError(error, file)
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  }
}

function copyInOneMoment(file: string, copy: string): boolean {
  const parts = ['', '-wal']
  const before = parts.map(part => stampOf(`${file}${part}`))
  const isSettled = before.every(stamp => stamp === null || stamp.changedAt < Date.now() - TICK_MS)
  if (!isSettled) return false
  for (const [n, part] of parts.entries()) {
    rmSync(`${copy}${part}`, { force: true })
    if (before[n] !== null) copyFileSync(`${file}${part}`, `${copy}${part}`)
  }
  const after = parts.map(part => stampOf(`${file}${part}`))
  return before.every((stamp, n) => stamp?.stamp === after[n]?.stamp)
}

function stampOf(path: string): { readonly stamp: string; readonly changedAt: number } | null {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return null
  const { ino, size, mtimeMs, ctimeMs } = stats
  return { stamp: `${ino} ${size} ${mtimeMs} ${ctimeMs}`, changedAt: mtimeMs }
}
