/**
 * Carries a plan out: all of it or nothing. First the journal, then the old contents, then the new
 * files beside, and only then is the first file moved.
 */
import { chmodSync, constants, copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { TaskId } from '../../domain/ids.ts'
import type { HeadMove } from '../../domain/task.ts'
import type { ApplyOrder } from '../../ports/applications.ts'
import type { Clock } from '../../ports/clock.ts'
import { syncFile } from '../files/durable-file.ts'
import { pathOnDisk } from '../files/paths.ts'
import { permissionsOf } from '../files/standing.ts'
import type { Git } from '../git/git.ts'
import { Edited, exchange, type Step } from './exchange.ts'
import { makeExchangeDirectory, removeExchangeDirectory } from './exchange-directory.ts'
import { holdOldContents } from './hold-old-contents.ts'
import { lockIndex } from './index-lock.ts'
import { createJournal, type Journal, saveJournal } from './journal.ts'
import { hasMoved, moveHead } from './move-head.ts'
import type { Plan } from './plan-application.ts'
import { forgetApplication, undoApplication } from './undo.ts'

export interface Applying {
  readonly order: ApplyOrder
  readonly directoryOf: (task: TaskId) => string
  readonly clock: Clock
  readonly freeBytes: (path: string) => number
}

/** Left free beside what is written. */
const SPARE_BYTES = 16 * 1024 * 1024

/** What is written, and to where; of an `ApplyOrder`, or of a `PickOrder`. */
export interface Writing extends Omit<Applying, 'order'> {
  readonly order: Omit<ApplyOrder, 'result' | 'followed' | 'mode'>
}

/** With `move`: HEAD and index go along, and then there is nothing left that could be taken back. */
export async function writeApplication(
  git: Git,
  applying: Writing,
  plan: Plan,
  move: HeadMove | null = null,
  reason: 'pick' | 'pick --undo' = 'pick',
): Promise<void> {
  const { order, directoryOf, clock } = applying
  const { task, base, target, isHandBack = false } = order
  const directory = directoryOf(task)
  const { root } = target.place
  refuseFull(applying, plan)
  if (order.isStopped()) {
    throw new AppError('refused_in_state', `interrupted; nothing was written to ${root}`)
  }
  reach('apply.planned')
  const { changes, made, emptied } = plan
  let journal = createJournal(directory, {
    task,
    root,
    at: clock.now(),
    isHandBack,
    state: 'writing',
    format: target.objectFormat,
    changes,
    made,
    emptied,
    move,
  })
  try {
    reach('apply.journal-written')
    await holdOldContents(git, { journal, target, base, now: clock.now() })
    reach('apply.contents-held')
    const exchangeDirectory = makeExchangeDirectory(target, directory, journal)
    reach('apply.directory-made')
    const copied = copyNewFiles(journal, plan, exchangeDirectory)
    if (copied !== journal) saveJournal(directory, copied)
    journal = copied
    reach('apply.files-copied')
    using lock = move === null ? null : lockIndex(target)
    exchangeFiles(journal, plan, exchangeDirectory)
    reach('apply.exchanged')
    if (move !== null && lock !== null) {
      dropCopies(journal, exchangeDirectory)
      await moveHead(git, target, move, {
        lock,
        scratch: directory,
        reason: `holdfast ${reason} ${task}`,
      })
      await forgetApplication(git, { journal, target, directory }, exchangeDirectory)
      return
    }
    saveJournal(directory, { ...journal, state: 'applied' })
    reach('apply.journal-closed')
    removeExchangeDirectory(exchangeDirectory)
    reach('apply.directory-removed')
  } catch (error) {
    const edited = error instanceof Edited ? error.path : null
    await takeBack(git, { journal, target, directory, edited }, error)
  }
}

function refuseFull({ order, freeBytes }: Writing, { changes }: Plan): void {
  const { root } = order.target.place
  const sizes = changes.map(({ after }) => (after?.kind === 'file' ? after.size : 0))
  const needed = sizes.reduce((sum, size) => sum + size, SPARE_BYTES)
  if (freeBytes(root) >= needed) return
  throw new AppError('no_space', `applying needs more space than is free at ${root}`, {
    hint: 'nothing was written; free some space there',
  })
}

const copyOf = (exchangeDirectory: string, index: number) => join(exchangeDirectory, `new-${index}`)

/** Gives the journal as it is with the permissions that this disk can keep: some keep none. */
function copyNewFiles(journal: Journal, { stage }: Plan, exchangeDirectory: string): Journal {
  let isAsPlanned = true
  const changes = journal.changes.map((change, index) => {
    const { path, after } = change
    if (after?.kind !== 'file') return change
    const copy = copyOf(exchangeDirectory, index)
    copyFileSync(
      pathOnDisk(stage, path),
      copy,
      constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
    )
    chmodSync(copy, after.mode)
    syncFile(copy)
    const mode = permissionsOf(copy)
    if (mode === after.mode) return change
    isAsPlanned = false
    return { ...change, after: { ...after, mode } }
  })
  return isAsPlanned ? journal : { ...journal, changes }
}

/** A file that loses its other name has changed, for git: not after the index knows it. */
function dropCopies({ changes }: Journal, exchangeDirectory: string): void {
  for (const index of changes.keys()) rmSync(copyOf(exchangeDirectory, index), { force: true })
}

function exchangeFiles(journal: Journal, { stage }: Plan, exchangeDirectory: string): void {
  const { root, format, changes, made, emptied } = journal
  const steps: Step[] = changes.map(({ path, before, after }, index) => {
    const isLink = after?.kind === 'link'
    const source = isLink ? pathOnDisk(stage, path) : copyOf(exchangeDirectory, index)
    const away = join(exchangeDirectory, `was-${index}`)
    return { path, from: before, to: after, source: after === null ? null : source, away }
  })
  const vacated = emptied.map(({ path }) => path)
  exchange({ root, format, steps, vacated, made: made.map(path => ({ path })) })
}

/** All of it or nothing: what was written goes back, and the reason is told. */
async function takeBack(
  git: Git,
  restoration: Parameters<typeof undoApplication>[1],
  reason: unknown,
): Promise<void> {
  const { target, journal } = restoration
  const { task, move } = journal
  try {
    await undoApplication(git, restoration)
  } catch (error) {
    const [what, command] =
      move === null
        ? ['what was written could not all be taken back', `apply --undo ${task}`]
        : ['it could neither be ended nor taken back', `pick ${task}`]
    throw new AppError('changed_since', `${messageOf(reason)}; and ${what}: ${messageOf(error)}`, {
      hint: `holdfast ${command}`,
      cause: reason,
    })
  }
  // Once HEAD has moved it is ended instead: then all of it was done, whatever had failed.
  if (move !== null && (await hasMoved(git, target, move))) return
  throw reason
}
