/**
 * The lock of a checkout's index, as git takes it: a file that is made, filled, and renamed into the
 * place of the index. One that we were killed with is known by a second name, and taken away.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { syncFile } from '../files/durable-file.ts'
import { NO_LINK } from './exchange.ts'

export interface IndexLock {
  /** Fills it with another index. */
  fill(indexFile: string): void
  /** What it was filled with is the index. */
  commit(): void
  /** Gives it up, unless it was committed. */
  [Symbol.dispose](): void
}

const lockOf = ({ gitDir }: Checkout) => join(gitDir, 'index.lock')
const ownNameOf = ({ gitDir }: Checkout) => join(gitDir, 'holdfast-index')

/** Refuses with `operation_in_progress` where a git has it. */
export function lockIndex(target: Checkout): IndexLock {
  dropStaleLock(target)
  const [lock, own] = [lockOf(target), ownNameOf(target)]
  closeSync(openSync(own, 'wx', 0o666))
  try {
    take(lock, own)
  } catch (error) {
    rmSync(own, { force: true })
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new AppError('operation_in_progress', `a git command holds the index: ${lock}`, {
      hint: 'try again when it is over; if no git runs, remove that file',
      cause: error,
    })
  }
  let isHeld = true
  return {
    fill(indexFile) {
      writeFileSync(lock, readFileSync(indexFile))
      chmodSync(lock, modeOf(join(target.gitDir, 'index')) ?? statSync(lock).mode)
      // Never newer than what git has looked at: see `private-index.ts`.
      const second = Math.floor(statSync(indexFile).mtimeMs / 1000)
      utimesSync(lock, second, second)
      const file = openSync(lock, 'r+')
      try {
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
    },
    commit() {
      renameSync(lock, join(target.gitDir, 'index'))
      isHeld = false
      rmSync(own, { force: true })
      syncFile(target.gitDir)
    },
    [Symbol.dispose]() {
      if (isHeld) rmSync(lock, { force: true })
      rmSync(own, { force: true })
    },
  }
}

/** Where a file cannot have two names, a lock that is left behind is for the user to remove. */
function take(lock: string, own: string): void {
  try {
    linkSync(own, lock)
  } catch (error) {
    if (!NO_LINK.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    closeSync(openSync(lock, 'wx', 0o666))
  }
}

function modeOf(path: string): number | undefined {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode
  return mode === undefined ? undefined : mode & 0o777
}

/** Removes a lock of ours that somebody was killed with; one of a git stays. */
export function dropStaleLock(target: Checkout): void {
  const look = (path: string) => lstatSync(path, { throwIfNoEntry: false })
  const own = look(ownNameOf(target))
  if (own === undefined) return
  const lock = look(lockOf(target))
  if (lock?.ino === own.ino && lock.dev === own.dev) rmSync(lockOf(target), { force: true })
  rmSync(ownNameOf(target), { force: true })
}
