/** What a failure of the store, or of the state directory, means to its user. */
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError, messageOf } from '../domain/errors.ts'
import { findLockHolders } from './lock-holders.ts'

/** SQLite's primary result codes (sqlite.org/rescode.html). */
export const SQLITE = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  protocol: 15,
  notadb: 26,
} as const

/** The low byte is the primary code, the rest says more. 0: it is no error of SQLite's. */
export function sqliteCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff
}

const UNWRITABLE: readonly number[] = [SQLITE.readonly, SQLITE.ioerr, SQLITE.full, SQLITE.cantopen]
const LOCKED: readonly number[] = [SQLITE.busy, SQLITE.locked, SQLITE.protocol]
const SYSTEM = [
  'EACCES',
  'EDQUOT',
  'EEXIST',
  'EIO',
  'EISDIR',
  'ELOOP',
  'EMFILE',
  'ENAMETOOLONG',
  'ENFILE',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
  'EPERM',
  'EROFS',
]

/** A refusal that says what to do; anything unknown is passed on as it is. */
export function storeError(error: unknown, file: string): unknown {
  if (error instanceof AppError) return error
  const primary = sqliteCode(error)
  if (primary === SQLITE.corrupt || primary === SQLITE.notadb) {
    return new AppError('store_unreadable', `the store ${file} is damaged: ${messageOf(error)}`, {
      hint: 'read what can be read of it: holdfast doctor --fix',
      cause: error,
    })
  }
  if (LOCKED.includes(primary)) {
    const holders = findLockHolders(file)
    const who = holders.length === 0 ? 'another program' : holders.join(', ')
    return new AppError('store_locked', `the store ${file} is locked by ${who}`, {
      hint: 'it was waited for; end that program, or try again later',
      cause: error,
    })
  }
  const { code = '' } = error as { code?: string }
  if (primary === SQLITE.cantopen && isDirectory(file)) {
    return new AppError(
      'store_unreadable',
      `a directory stands in the place of the store ${file}`,
      {
        hint: 'put it aside and make the store anew: holdfast doctor --fix',
        cause: error,
      },
    )
  }
  if (!UNWRITABLE.includes(primary) && !SYSTEM.includes(code)) return error
  const why = (primary === SQLITE.cantopen ? whyNotOpened(file) : undefined) ?? messageOf(error)
  return new AppError('store_unwritable', `the store ${file} cannot be written: ${why}`, {
    hint: /EMFILE|ENFILE/.test(why)
      ? 'allow more open files: ulimit -n 1024'
      : 'check the owner, mode and free space of that directory, or set HOLDFAST_HOME to another one',
    cause: error,
  })
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    // Not even that can be seen: the error itself says why.
    return false
  }
}

/**
 * SQLite only says that it could not; the system says why. The file itself is not opened: to close
 * it again would end the locks that this process holds on it.
 */
function whyNotOpened(file: string): string | undefined {
  try {
    closeSync(openSync('/', 'r'))
    accessSync(existsSync(file) ? file : dirname(file), constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
