/** The port `Applications` on plain `git`. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Application, Applications } from '../ports/applications.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/lock.ts'
import type { Checkout } from '../ports/worktrees.ts'
import { applyResult } from './apply/apply.ts'
import { findExchangeDirectory, realPathOf } from './apply/exchange-directory.ts'
import { type Journal, journalPath, listJournals, readJournal } from './apply/journal.ts'
import { findBranch } from './apply/move-head.ts'
import { pickResult, takeBackPick } from './apply/pick.ts'
import { undoApplication } from './apply/undo.ts'
import { freeBytesAt } from './base/base.ts'
import { makeGit } from './git/git.ts'

/** An application takes a second; twenty may wait in line, on a loaded machine. */
const LOCK_LIMIT_MS = 120_000

export interface ApplicationsNeeds {
  readonly locks: Locks
  readonly clock: Clock
  /** The environment that git runs in, less its `GIT_*`: PATH, HOME and what filters need. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The directory of a task. */
  readonly directoryOf: (task: TaskId) => string
  /** Bytes free on the file system of a path; the system's own answer unless given. */
  readonly freeBytes?: (path: string) => number
}

export function makeApplications(needs: ApplicationsNeeds): Applications {
  const { locks, clock, environment, directoryOf, freeBytes = freeBytesAt } = needs
  const git = makeGit(environment)
  return {
    withTarget(root, work) {
      const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
      return locks.withLock(`apply-${name}`, LOCK_LIMIT_MS, work)
    },
    findInterrupted: target => findInterrupted(target, directoryOf),
    apply: order => applyResult(git, { order, directoryOf, clock, freeBytes }),
    pick: order => pickResult(git, { order, directoryOf, clock, freeBytes }),
    unpick: order => takeBackPick(git, { order, directoryOf, clock, freeBytes }),
    findBranch: target => findBranch(git, target),
    list: task => listJournals(directoryOf(task)).map(describe),
    async undo({ task, number }, target) {
      const directory = directoryOf(task)
      const journal = readJournal(journalPath(directory, number))
      if (journal === undefined) {
        throw new AppError('not_applied', `${task} is no longer applied to ${target.place.root}`)
      }
      return await undoApplication(git, { journal, target, directory })
    },
  }
}

function describe({ task, number, root, at, isHandBack, state, move }: Journal): Application {
  const isWhole = state === 'applied'
  return { task, number, root, at, isHandBack, isPick: move !== null, head: move, isWhole }
}

function findInterrupted(
  target: Checkout,
  directoryOf: (task: TaskId) => string,
): Application | undefined {
  const found = findExchangeDirectory(target)
  if (found === undefined) return undefined
  const journal = found.journal === null ? undefined : readJournal(found.journal)
  const mine = journal && journalPath(directoryOf(journal.task), journal.number)
  const isMine = mine !== undefined && realPathOf(mine) === realPathOf(found.journal ?? '')
  if (journal === undefined || !isMine) {
    const whose = found.journal === null ? '' : ` (its journal: ${found.journal})`
    throw new AppError(
      'operation_in_progress',
      `something else applies a result to ${target.place.root}, or was killed doing so${whose}`,
      { hint: `if nothing does: the files as they were are ${join(found.path, 'was-*')}` },
    )
  }
  return journal.state === 'applied' ? undefined : describe(journal)
}
