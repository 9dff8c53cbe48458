/** Opens the store's file: pragmas, version, migrations, and what goes wrong on the way. */
import { accessSync, chmodSync, constants, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import { parseTaskId } from '../domain/ids.ts'
import { ENDED_VERSION } from './end.ts'
import { prepareHome, STORE_FILE } from './home.ts'
import type { Database } from './schema.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import { SQLITE, sqliteCode, storeError } from './store-error.ts'

/** The number of migrations; kept here as a number so that an up-to-date store loads none of them. */
export const STORE_VERSION = 12

/** How long a writer waits for another; transactions take milliseconds, a busy disk seconds. */
export const BUSY_TIMEOUT_MS = 10_000

/** Entering WAL mode takes a millisecond or two. */
const WAL_PAUSE_MS = 5

export interface OpenedDatabase {
  readonly raw: DatabaseSync
  readonly db: Kysely<Database>
  /** The state directory cannot be written to: what there is can be read. */
  readonly isReadOnly: boolean
}

/**
 * Opens the store in a state directory, which is made if it is missing, and brings it up to date.
 * A commit is on disk when it returns. Where nothing can be written, it is opened for reading.
 * Refuses with `store_unwritable`, `store_unreadable`, `store_locked` or `store_newer`.
 */
export async function openDatabase(directory: string): Promise<OpenedDatabase> {
  const file = join(directory, STORE_FILE)
  prepareHome(directory)
  if (!isWritable(directory, file) && existsSync(file)) {
    const { openReadOnly } = await import('./open-read-only.ts')
    return await openReadOnly(file)
  }
  const isMissing = !existsSync(file) && countTaskDirectories(join(directory, 'tasks')) > 0
  // Asked again: a racing peer makes the store, and then the first task.
  if (isMissing && !existsSync(file)) throw lostStore(directory, file)
  return await openFile(file, raw => {
    enterWalMode(raw)
    requireNoTasks(raw, directory, file)
    raw.exec('PRAGMA synchronous = FULL')
  })
}

/** Opens a file that can be written to. `enter`: how it is to be written. */
export async function openFile(
  file: string,
  enter: (raw: DatabaseSync) => void,
): Promise<OpenedDatabase> {
  let raw: DatabaseSync
  try {
    raw = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  } catch (error) {
    throw storeError(error, file)
  }
  try {
    enter(raw)
    const db = new Kysely<Database>({ dialect: sqliteDialect(raw) })
    const version = requireKnownVersion(raw, file)
    if (version < STORE_VERSION) await migrate(raw, db, file)
    return { raw, db, isReadOnly: false }
  } catch (error) {
    raw.close()
    throw storeError(error, file)
  }
}

/** SQLite needs both: beside the store it makes the files of its log. */
function isWritable(directory: string, file: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    if (existsSync(file)) accessSync(file, constants.W_OK)
    return true
  } catch {
    // By its mode, or because all of its file system is so.
    return false
  }
}

/**
 * A new store is put into WAL mode by whoever comes first; the others are told "locked" meanwhile,
 * for this one statement without SQLite's own patience.
 */
function enterWalMode(raw: DatabaseSync): void {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    try {
      raw.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (sqliteCode(error) !== SQLITE.busy || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_PAUSE_MS)
    }
  }
}

/**
 * A new store beside tasks means that theirs was deleted or emptied: they may not seem never made.
 * (The version is read once more: a racing peer makes the first task only after the tables.)
 */
function requireNoTasks(raw: DatabaseSync, directory: string, file: string): void {
  if (readVersion(raw) > 0) return
  if (countTaskDirectories(join(directory, 'tasks')) === 0 || readVersion(raw) > 0) return
  throw lostStore(directory, file)
}

function lostStore(directory: string, file: string): AppError {
  const tasks = countTaskDirectories(join(directory, 'tasks'))
  return new AppError(
    'store_unreadable',
    `the store ${file} is gone or empty, and there are ${tasks} task directories`,
    { hint: 'write it anew from these: holdfast doctor --fix' },
  )
}

function countTaskDirectories(path: string): number {
  try {
    return readdirSync(path).filter(name => parseTaskId(name) !== undefined).length
  } catch {
    // The first task makes it.
    return 0
  }
}

export function requireKnownVersion(raw: DatabaseSync, file: string): number {
  const version = readVersion(raw)
  if (version <= STORE_VERSION) return version
  if (version === ENDED_VERSION) {
    throw new AppError('store_ended', `the state directory of ${file} is being uninstalled`, {
      hint: 'to finish that: holdfast uninstall --purge',
    })
  }
  throw new AppError('store_newer', `the store ${file} was written by a newer Holdfast`, {
    hint: 'update this one: npm install --global holdfast',
  })
}

function readVersion(raw: DatabaseSync): number {
  const row = raw.prepare('PRAGMA user_version').get() as { user_version: number }
  return row.user_version
}

/** A racing peer is tolerated: the version is read again once the write lock is held. */
async function migrate(raw: DatabaseSync, db: Kysely<Database>, file: string): Promise<void> {
  const { migrations } = await import('./migrations/index.ts')
  reach('store.made')
  chmodSync(file, 0o600)
  await db.transaction().execute(async transaction => {
    for (const up of migrations.slice(readVersion(raw))) {
      await up(transaction as unknown as Kysely<unknown>)
    }
    raw.exec(`PRAGMA user_version = ${STORE_VERSION}`)
    reach('store.migrated')
  })
}
