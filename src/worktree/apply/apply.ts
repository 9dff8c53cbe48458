/**
 * Applies a result: a merge, a plan, and only then, all or nothing, the working files. Each step
 * before the first file is in a place of our own; from there on the journal says how to go back.
 */
import { mkdirSync } from 'node:fs'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { ApplyOutcome } from '../../ports/applications.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { pathBytes, shownPath } from '../files/paths.ts'
import { type Git, GitError } from '../git/git.ts'
import type { PathConflict } from './conflicts.ts'
import { readEarlier } from './earlier.ts'
import { Edited } from './exchange.ts'
import { clearExchangeDirectory } from './exchange-directory.ts'
import { clearScratch } from './journal.ts'
import { mergeResult } from './merge.ts'
import { planApplication, refuseAtOnce } from './plan-application.ts'
import { refuseOperation } from './target.ts'
import { describeChange } from './undo.ts'
import { type Applying, writeApplication } from './write-application.ts'

/** See `Applications.apply`. */
export async function applyResult(git: Git, applying: Applying): Promise<ApplyOutcome> {
  const { order, directoryOf, clock } = applying
  const { task, target, mode } = order
  const directory = directoryOf(task)
  refuseOperation(target)
  const scratch = clearScratch(directory, target.place.root)
  if (mode !== 'check') clearExchangeDirectory(target, directory)
  const earlier = readEarlier(order, directoryOf)
  if (earlier.isInPlace) return { kind: 'in_place' }
  mkdirSync(scratch, { mode: 0o700 })
  try {
    const merge = await mergeResult(git, {
      ...order,
      applied: earlier.applied,
      directory,
      scratch,
      now: clock.now(),
    })
    refuseAtOnce(merge, target.place.root)
    if (merge.conflicts.length > 0 && mode !== 'conflicts') {
      return { kind: 'conflicting', conflicts: describeConflicts(merge.conflicts) }
    }
    const plan = await planApplication(git, merge, target, scratch)
    if (plan.changes.length === 0 && merge.conflicts.length === 0) return { kind: 'in_place' }
    const files = plan.changes.map(({ path, before, after }) => describeChange(path, before, after))
    if (mode === 'check') return { kind: 'would_apply', files }
    await writeApplication(git, applying, plan)
    return { kind: 'applied', files, conflicts: describeConflicts(merge.conflicts) }
  } catch (error) {
    throw explained(error, target)
  } finally {
    clearScratch(directory, target.place.root)
  }
}

function describeConflicts(conflicts: readonly PathConflict[]) {
  return conflicts.map(({ path, why }) => ({ path: pathBytes(path).toString('utf8'), why }))
}

/** Why nothing was written, in words for whoever asked. */
export function explained(error: unknown, { place: { root } }: Checkout): unknown {
  if (error instanceof AppError) return error
  if (error instanceof Edited) {
    return new AppError(
      'changed_since',
      `${shownPath(error.path)} was edited meanwhile; nothing was written to ${root}`,
      { hint: 'try again', cause: error },
    )
  }
  const { code = '' } = error as NodeJS.ErrnoException
  const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)
  if (isFull || (error instanceof GitError && error.isFull)) {
    return new AppError('no_space', `the disk is full; nothing was written to ${root}`, {
      hint: 'free some space there',
      cause: error,
    })
  }
  if (!(error instanceof GitError) && code === '') return error
  return new AppError('refused_in_state', `nothing was written to ${root}: ${messageOf(error)}`, {
    cause: error,
  })
}
