/** Brings the files of an application back to what they were before it, finished or not. */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { FileChange } from '../../ports/applications.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { refOf } from '../capture/refs.ts'
import { syncFile } from '../files/durable-file.ts'
import { type BytePath, pathBytes, shownPath } from '../files/paths.ts'
import { isObstacle, isSame, readStanding, type Standing } from '../files/standing.ts'
import { writeBlobs } from '../git/blobs.ts'
import type { Git } from '../git/git.ts'
import { Edited, exchange, type Step } from './exchange.ts'
import {
  findExchangeDirectory,
  makeExchangeDirectory,
  realPathOf,
  removeExchangeDirectory,
} from './exchange-directory.ts'
import { dropStaleLock } from './index-lock.ts'
import {
  clearScratch,
  type Journal,
  journalPath,
  makeJournalLook,
  removeJournal,
  saveJournal,
} from './journal.ts'
import { endMove, hasMoved } from './move-head.ts'

export interface Restoration {
  readonly journal: Journal
  readonly target: Checkout
  /** The task directory. */
  readonly directory: string
  /** A file that is left as it is: somebody wrote to it while it was to be replaced. */
  readonly edited?: BytePath | null
}

/** See `Applications.undo`. */
export async function undoApplication(
  git: Git,
  restoration: Restoration,
): Promise<readonly FileChange[]> {
  const { journal, target, directory } = restoration
  const { move } = journal
  const mine = journalPath(directory, journal.number)
  const found = findExchangeDirectory(target)
  const isInterrupted =
    journal.state !== 'applied' && realPathOf(found?.journal ?? '') === realPathOf(mine)
  // What was interrupted before it moved anything, or after it had moved all of it back.
  if (journal.state !== 'applied' && !isInterrupted) {
    await forgetApplication(git, restoration, undefined)
    return []
  }
  let exchangeDirectory = isInterrupted ? found?.path : undefined
  if (move !== null) {
    dropStaleLock(target)
    if (await hasMoved(git, target, move)) {
      await endMove(git, target, move, directory)
      await forgetApplication(git, restoration, exchangeDirectory)
      return []
    }
  }
  const work = findWork(restoration, exchangeDirectory)
  if (exchangeDirectory === undefined) {
    // In this order: one that is being taken back, and has no such directory, is back.
    exchangeDirectory = makeExchangeDirectory(target, directory, journal)
    reach('undo.directory-made')
    saveJournal(directory, { ...journal, state: 'undoing' })
    reach('undo.journal-opened')
  }
  await bringBack(git, restoration, work, exchangeDirectory)
  reach('undo.exchanged')
  await forgetApplication(git, restoration, exchangeDirectory)
  return work.map(({ path, before, now }) => describeChange(path, now, before))
}

interface Work {
  /** Its place in the journal. */
  readonly index: number
  readonly path: BytePath
  readonly now: Standing | null
  readonly before: Standing | null
}

/**
 * What is not yet as before. Of an application that was killed a file may be missing, between the
 * old and the new; of one that stands, that is an edit as any other.
 */
function findWork({ journal, edited }: Restoration, interruptedIn: string | undefined): Work[] {
  const work: Work[] = []
  const changed: BytePath[] = []
  const look = makeJournalLook(journal)
  for (const [index, { path, before, after }] of journal.changes.entries()) {
    const now = look(path)
    if (isSame(now, before) || path === edited) continue
    const isWritten = isSame(now, after)
    if (!isWritten && interruptedIn !== undefined && journal.state === 'writing') {
      const away = lstatSync(join(interruptedIn, `was-${index}`), { throwIfNoEntry: false })
      // We have not come to it: what it is now is the user's own doing.
      if (before !== null && away === undefined) continue
    }
    const isOurs = isWritten || (interruptedIn !== undefined && now === null)
    if (!isOurs || isObstacle(now)) changed.push(path)
    else work.push({ index, path, now, before })
  }
  refuseChanged(journal, changed)
  return work
}

function refuseChanged({ task, number, root }: Journal, changed: readonly BytePath[]): void {
  const [first] = changed
  if (first === undefined) return
  const named = changed.slice(0, 5).map(shownPath)
  const more = changed.length > 5 ? ` and ${changed.length - 5} more` : ''
  const ref = refOf(task, `undo/${number}`)
  throw new AppError(
    'changed_since',
    `${named.join(', ')}${more} changed since ${task} was applied; nothing was touched in ${root}`,
    { hint: `what was there before: git show ${ref}:${shownPath(first)}` },
  )
}

async function bringBack(
  git: Git,
  { journal, target }: Restoration,
  work: readonly Work[],
  exchangeDirectory: string,
): Promise<void> {
  const { root, commonDir } = target.place
  const { format, made, emptied } = journal
  const steps: Step[] = []
  const wanted: { standing: Standing; to: string }[] = []
  for (const { index, path, now, before } of work) {
    // The old file itself, if it is still about, with all that no journal says of it.
    const kept = join(exchangeDirectory, `was-${index}`)
    const isKept = before !== null && isSame(readStanding(kept, format), before)
    const source = isKept ? kept : join(exchangeDirectory, `back-${index}`)
    if (before !== null && !isKept) wanted.push({ standing: before, to: source })
    const away = join(exchangeDirectory, `gone-${index}`)
    steps.push({ path, from: now, to: before, source: before === null ? null : source, away })
  }
  await writeBlobs(git, { gitDir: commonDir }, wanted)
  for (const { standing, to } of wanted) {
    if (!isSame(readStanding(to, format), standing)) throw new Error(`${to} is not what it was`)
    if (standing.kind === 'file') syncFile(to)
  }
  reach('undo.files-written')
  try {
    exchange({ root, format, steps, vacated: [...made].reverse(), made: [...emptied].reverse() })
  } catch (error) {
    if (!(error instanceof Edited)) throw error
    throw new AppError('changed_since', `${shownPath(error.path)} was edited meanwhile`, {
      hint: `some files are not yet back: holdfast apply --undo ${journal.task}`,
      cause: error,
    })
  }
}

/** Last of all: what says that there is something to bring back. */
export async function forgetApplication(
  git: Git,
  { journal, target, directory }: Omit<Restoration, 'edited'>,
  exchangeDirectory: string | undefined,
): Promise<void> {
  clearScratch(directory, target.place.root)
  if (exchangeDirectory !== undefined) removeExchangeDirectory(exchangeDirectory)
  reach('undo.directory-removed')
  await git.run(['update-ref', '-d', refOf(journal.task, `undo/${journal.number}`)], {
    place: { gitDir: target.place.commonDir },
  })
  reach('undo.ref-dropped')
  removeJournal(directory, journal)
  reach('undo.journal-removed')
}

export function describeChange(
  path: BytePath,
  from: Standing | null,
  to: Standing | null,
): FileChange {
  const change = from === null ? 'added' : to === null ? 'deleted' : 'modified'
  return { path: pathBytes(path).toString('utf8'), change }
}
