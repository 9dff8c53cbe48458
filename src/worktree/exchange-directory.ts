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
import { AppError } from '../domain/errors.ts'
import type { Checkout } from '../ports/worktrees.ts'
import { type Journal, journalPath } from './journal.ts'

const POINTER = 'journal'

export interface ExchangeDirectory {
  readonly path: string
  /** The journal that it belongs to; null where that is not said. */
  readonly journal: string | null
}

const besideFiles = ({ place }: Checkout) => join(place.root, '.holdfast-apply')
const inGitDir = ({ gitDir }: Checkout) => join(gitDir, 'holdfast-apply')

export function findExchangeDirectory(target: Checkout): ExchangeDirectory | undefined {
  for (const path of [inGitDir(target), besideFiles(target)]) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue
    const journal = readPointer(path)
    // Killed before it pointed anywhere: nothing was moved.
    if (journal === null && readdirSync(path).length === 0) continue
    return { path, journal }
  }
  return undefined
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
    const pointer = readPointer(path)
    const isEmpty = readdirSync(path).length === 0
    if (!isEmpty && (pointer === null || tasksOf(pointer) !== tasks)) {
      throw somebodyElse(target)
    }
    rmSync(path, { recursive: true })
  }
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
