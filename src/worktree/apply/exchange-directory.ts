/**
 * Where working files wait while an application is written: the new ones before, the old ones after
 * they are exchanged. It lies in the target's git directory, where neither `git status` nor
 * `git clean` nor a program that watches the files sees it; beside the files only where the git
 * directory is on another file system. It points to the journal: finding it is finding that an
 * application was killed.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import type { BytePath } from '../files/paths.ts'
import { type Journal, journalPath, readJournal } from './journal.ts'

const POINTER = 'journal'
const BESIDE_FILES = '.holdfast-apply'
/** All that `apply` and `undo` put there. */
const OURS = /^(?:journal|(?:new|was|back|gone)-\d+)$/

export interface ExchangeDirectory {
  readonly path: string
  /** The journal that it belongs to; null where that is not said. */
  readonly journal: string | null
}

const besideFiles = ({ place }: Checkout) => join(place.root, BESIDE_FILES)
const inGitDir = ({ gitDir }: Checkout) => join(gitDir, 'holdfast-apply')

/** A path that no result may write to: it would be taken for ours. */
export function isInExchangeDirectory(path: BytePath): boolean {
  const [first = ''] = path.split('/', 1)
  // As a disk that knows no case, or macOS, has it.
  return first.toLowerCase() === BESIDE_FILES
}

export function findExchangeDirectory(target: Checkout): ExchangeDirectory | undefined {
  for (const path of [inGitDir(target), besideFiles(target)]) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue
    if (path === besideFiles(target) && !isGenuine(path, target)) continue
    const journal = readPointer(path)
    // Killed before it pointed anywhere: nothing was moved.
    if (journal === null && readdirSync(path).length === 0) continue
    return { path, journal }
  }
  return undefined
}

/**
 * Whether one among the working files was made by an application to this checkout. Anybody can make
 * a directory of this name there, an agent too.
 */
function isGenuine(path: string, { place }: Checkout): boolean {
  try {
    if (!lstatSync(path).isDirectory()) return false
    const names = readdirSync(path)
    if (names.length === 0) return true
    const pointer = readPointer(path)
    if (pointer === null || !names.every(name => OURS.test(name))) return false
    return readJournal(pointer)?.root === place.root
  } catch {
    // What cannot be read is none of ours.
    return false
  }
}

function readPointer(path: string): string | null {
  try {
    return readlinkSync(join(path, POINTER))
  } catch {
    // It has none, or is none of ours.
    return null
  }
}

/**
 * Makes it for a journal. Nothing is interrupted here: what is there is what an application of this
 * state directory left when it was killed at its very end. Refuses with `operation_in_progress` if
 * somebody else is quicker.
 */
export function makeExchangeDirectory(
  target: Checkout,
  taskDirectory: string,
  { number }: Journal,
): string {
  clearExchangeDirectory(target, taskDirectory)
  const [inside, beside] = [inGitDir(target), besideFiles(target)]
  try {
    mkdirSync(beside, { mode: 0o700 })
    const path = moveOrLeave(beside, inside)
    symlinkSync(journalPath(taskDirectory, number), join(path, POINTER))
    return path
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error
    throw somebodyElse(target)
  }
}

/** Removes what is left of an application of this state directory that has been finished. */
export function clearExchangeDirectory(target: Checkout, taskDirectory: string): void {
  const tasks = realPathOf(dirname(taskDirectory))
  for (const path of [besideFiles(target), inGitDir(target)]) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue
    if (path === besideFiles(target) && !isGenuine(path, target)) throw foreign(path)
    const pointer = readPointer(path)
    const isEmpty = readdirSync(path).length === 0
    if (!isEmpty && (pointer === null || tasksOf(pointer) !== tasks)) {
      throw somebodyElse(target)
    }
    removeExchangeDirectory(path)
  }
}

/** One that we made. Its pointer goes last: without one, what is left would be nobody's. */
export function removeExchangeDirectory(path: string): void {
  for (const name of readdirSync(path)) {
    if (name !== POINTER) rmSync(join(path, name), { recursive: true, force: true })
  }
  rmSync(path, { recursive: true, force: true })
}

/** `<tasks>/<id>/applied/<n>.json` */
const tasksOf = (journal: string) => realPathOf(dirname(dirname(dirname(journal))))

/** By whichever name the state directory was called. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // It is gone: then only its name is left to go by.
    return path
  }
}

function foreign(path: string): AppError {
  return new AppError('in_the_way', `${path} stands where apply keeps files for a moment`, {
    hint: `it is not from here; look what is in it (of an apply that was killed, the files as they were: was-*), and move it away`,
  })
}

function somebodyElse({ place }: Checkout): AppError {
  return new AppError('operation_in_progress', `something else applies a result to ${place.root}`, {
    hint: 'another state directory (HOLDFAST_HOME) has it under way, or was killed doing so',
  })
}

/** A mount between the two can be told from nothing but the attempt. */
function moveOrLeave(from: string, to: string): string {
  try {
    renameSync(from, to)
    return to
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EXDEV') return from
    rmdirSync(from)
    throw error
  }
}
