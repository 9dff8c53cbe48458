/**
 * Applies a result: a merge, a plan, and only then, all or nothing, the working files. Each step
 * before the first file is in a place of our own; from there on the journal says how to go back.
 */
import { chmodSync, constants, copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { ApplyOrder, ApplyOutcome } from '../ports/applications.ts'
import type { Clock } from '../ports/clock.ts'
import type { PathConflict } from './conflicts.ts'
import { readEarlier } from './earlier.ts'
import { Edited, exchange, type Step } from './exchange.ts'
import { clearExchangeDirectory, makeExchangeDirectory } from './exchange-directory.ts'
import { type Git, GitError } from './git.ts'
import { holdOldContents } from './hold-old-contents.ts'
import { clearScratch, createJournal, type Journal, saveJournal, syncFile } from './journal.ts'
import { mergeResult } from './merge.ts'
import { pathBytes, shownPath } from './paths.ts'
import { type Plan, planApplication, refuseAtOnce } from './plan-application.ts'
import { refuseOperation } from './target.ts'
import { describeChange, undoApplication } from './undo.ts'

export interface Applying {
  readonly order: ApplyOrder
  readonly directoryOf: (task: TaskId) => string
  readonly clock: Clock
  readonly freeBytes: (path: string) => number
}

/** Left free beside what is written. */
const SPARE_BYTES = 16 * 1024 * 1024

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
    await write(git, applying, plan)
    return { kind: 'applied', files, conflicts: describeConflicts(merge.conflicts) }
  } catch (error) {
    throw explained(error, applying)
  } finally {
    clearScratch(directory, target.place.root)
  }
}

function describeConflicts(conflicts: readonly PathConflict[]) {
  return conflicts.map(({ path, why }) => ({ path: pathBytes(path).toString('utf8'), why }))
}

async function write(git: Git, applying: Applying, plan: Plan): Promise<void> {
  const { order, directoryOf, clock } = applying
  const { task, base, target } = order
  const directory = directoryOf(task)
  const { root } = target.place
  refuseFull(applying, plan)
  if (order.isStopped()) {
    throw new AppError('refused_in_state', `interrupted; nothing was written to ${root}`)
  }
  reach('apply.planned')
  const { changes, made, emptied } = plan
  const journal = createJournal(directory, {
    task,
    root,
    at: clock.now(),
    state: 'writing',
    format: target.objectFormat,
    changes,
    made,
    emptied,
  })
  try {
    reach('apply.journal-written')
    await holdOldContents(git, { journal, target, base, now: clock.now() })
    reach('apply.contents-held')
    const exchangeDirectory = makeExchangeDirectory(target, directory, journal)
    reach('apply.directory-made')
    moveIn(journal, plan, exchangeDirectory)
    reach('apply.exchanged')
    saveJournal(directory, { ...journal, state: 'applied' })
    reach('apply.journal-closed')
    rmSync(exchangeDirectory, { recursive: true, force: true })
    reach('apply.directory-removed')
  } catch (error) {
    const edited = error instanceof Edited ? error.path : null
    await takeBack(git, { journal, target, directory, edited }, error)
  }
}

function refuseFull({ order, freeBytes }: Applying, { changes }: Plan): void {
  const { root } = order.target.place
  const sizes = changes.map(({ after }) => (after?.kind === 'file' ? after.size : 0))
  const needed = sizes.reduce((sum, size) => sum + size, SPARE_BYTES)
  if (freeBytes(root) >= needed) return
  throw new AppError('no_space', `applying needs more space than is free at ${root}`, {
    hint: 'nothing was written; free some space there',
  })
}

function moveIn(journal: Journal, plan: Plan, exchangeDirectory: string): void {
  const { root, format, changes, made, emptied } = journal
  const steps: Step[] = changes.map(({ path, before, after }, index) => {
    const staged = Buffer.concat([Buffer.from(`${plan.stage}/`), pathBytes(path)])
    const copy = join(exchangeDirectory, `new-${index}`)
    if (after?.kind === 'file') copyNewFile(staged, copy, after.mode)
    const source = after === null ? null : after.kind === 'link' ? staged : copy
    return { path, from: before, to: after, source, away: join(exchangeDirectory, `was-${index}`) }
  })
  reach('apply.files-copied')
  const vacated = emptied.map(({ path }) => path)
  exchange({ root, format, steps, vacated, made: made.map(path => ({ path })) })
}

function copyNewFile(from: Buffer, to: string, mode: number): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  chmodSync(to, mode)
  syncFile(to)
}

/** All of it or nothing: what was written goes back, and the reason is told. */
async function takeBack(
  git: Git,
  restoration: Parameters<typeof undoApplication>[1],
  reason: unknown,
): Promise<never> {
  const { task } = restoration.journal
  try {
    await undoApplication(git, restoration)
  } catch (error) {
    throw new AppError(
      'changed_since',
      `${messageOf(reason)}; and what was written could not all be taken back: ${messageOf(error)}`,
      { hint: `holdfast apply --undo ${task}`, cause: reason },
    )
  }
  throw reason
}

function explained(error: unknown, { order }: Applying): unknown {
  if (error instanceof AppError) return error
  const { root } = order.target.place
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
