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
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Checkout } from '../ports/worktrees.ts'

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

/** Removes what an application left that has been finished. */
export function clearExchangeDirectory(target: Checkout): void {
  for (const path of [besideFiles(target), inGitDir(target)]) {
    rmSync(path, { recursive: true, force: true })
  }
}

/** Makes it, where nothing is interrupted. */
export function makeExchangeDirectory(target: Checkout, journal: string): string {
  const beside = besideFiles(target)
  const inside = inGitDir(target)
  clearExchangeDirectory(target)
  mkdirSync(beside, { mode: 0o700 })
  const path = moveOrLeave(beside, inside)
  symlinkSync(journal, join(path, POINTER))
  return path
}

/** A mount between the two can be told from nothing but the attempt. */
function moveOrLeave(from: string, to: string): string {
  try {
    renameSync(from, to)
    return to
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    return from
  }
}
