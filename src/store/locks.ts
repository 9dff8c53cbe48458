/**
 * Locks that die with their holder: an exclusive SQLite transaction on a file of their own, which
 * the kernel ends together with the process. They hold across processes and within one.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lock, Locks } from '../ports/lock.ts'
import { makeDirectory } from './home.ts'
import { SQLITE, sqliteCode, storeError } from './store-error.ts'

/** How often a waiter looks again; the sections are tens of milliseconds long. */
const RETRY_MS = 10

/** A handle that nothing refers to would be collected as garbage, and its lock would end. */
const held = new Set<DatabaseSync>()

/** `directory` is absolute; it is made if it is missing. */
export function makeLocks(directory: string, clock: Clock): Locks {
  const open = (name: string) => {
    const file = join(directory, `${name}.lock`)
    try {
      makeDirectory(directory)
      makePrivate(file)
      return new DatabaseSync(file, { timeout: 0 })
    } catch (error) {
      throw storeError(error, file)
    }
  }

  const tryAcquire = (name: string): Lock | undefined => {
    const file = open(name)
    if (!begin(file, 'BEGIN EXCLUSIVE')) {
      file.close()
      return undefined
    }
    held.add(file)
    return {
      release() {
        held.delete(file)
        file.close()
      },
    }
  }

  return {
    tryAcquire,
    isHeld(name) {
      // A look makes nothing: it works where nothing can be written, too.
      if (!existsSync(join(directory, `${name}.lock`))) return false
      const file = open(name)
      try {
        // A shared lock: two lookers do not take each other for the holder.
        return !begin(file, 'BEGIN; SELECT 1 FROM sqlite_schema')
      } finally {
        file.close()
      }
    },
    async withLock(name, limitMs, work) {
      const deadline = clock.elapsed() + limitMs
      let lock = tryAcquire(name)
      while (lock === undefined) {
        if (clock.elapsed() > deadline) {
          throw new AppError('refused_in_state', `lock "${name}" is held for over ${limitMs} ms`, {
            hint: 'another holdfast process is at work there; try again',
          })
        }
        await clock.sleep(RETRY_MS)
        lock = tryAcquire(name)
      }
      try {
        return await work()
      } finally {
        lock.release()
      }
    },
  }
}

/**
 * SQLite would make the file as the umask says; its journal takes the mode over. An existing file
 * may not be opened here: closing it again would end the locks that this process holds on it
 * (POSIX locks belong to the process, not to the descriptor).
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  }
}

/** Runs a statement that takes a lock; false if somebody else holds it. */
function begin(file: DatabaseSync, statement: string): boolean {
  try {
    file.exec(statement)
    return true
  } catch (error) {
    const code = sqliteCode(error)
    if (code === SQLITE.busy || code === SQLITE.locked) return false
    if (code !== SQLITE.notadb) throw storeError(error, file.location() ?? 'lock')
    throw new AppError('store_unreadable', `${file.location()} is no lock file`, {
      hint: 'run: holdfast doctor --fix',
      cause: error,
    })
  }
}
