/** What a task starts from: the caller's commit and uncommitted changes, taken without a trace. */
import { statfsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { type CommitId, parseCommitId, type TaskId } from '../domain/ids.ts'
import type { Base } from '../domain/task.ts'
import type { CaptureOrder, Checkout } from '../ports/worktrees.ts'
import { refuseTooLarge, shownSize } from './bounds.ts'
import {
  type Delta,
  presentPaths,
  type StartedCapture,
  startCapture,
  withCapture,
} from './capture.ts'
import type { Change } from './change.ts'
import { type Git, GitError, type GitPlace } from './git.ts'
import { mayHideEdits } from './index-flags.ts'
import { type BytePath, shownPath } from './paths.ts'
import {
  clearHiddenFlags,
  copyIndex,
  hiddenPaths,
  type PrivateIndex,
  readIndex,
  readIndexFacts,
} from './private-index.ts'
import { verifyCommits } from './read-back.ts'
import { dropBase, refOf } from './refs.ts'
import { GITLINK, isDeletion, readStatus, type StatusReport, type TreeEntry } from './status.ts'

/** Left free for the record of the task itself, whatever the estimate says. */
const SPARE_BYTES = 16 * 1024 * 1024

export interface BaseCapture {
  readonly checkout: Checkout
  readonly task: TaskId
  /** A private directory that exists. */
  readonly scratch: string
  readonly order: CaptureOrder
  /** Milliseconds since 1970. */
  readonly now: number
  /** Bytes that are free on the file system of a path. */
  readonly freeBytes: (path: string) => number
}

export function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/** See `Worktrees.captureBase`. */
export async function captureBase(git: Git, capture: BaseCapture): Promise<Base> {
  const { checkout, order, task } = capture
  const { revision, changes } = order
  const commit =
    revision === null ? checkout.head : await requireCommit(git, checkout.gitDir, revision)
  if (changes !== 'none' && commit === checkout.head) return await captureHead(git, capture)
  const place = { gitDir: checkout.place.commonDir }
  await git.run(['update-ref', refOf(task, 'base'), commit], { place })
  return { commit, changes: null }
}

async function requireCommit(git: Git, gitDir: string, revision: string): Promise<CommitId> {
  const words = ['rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`]
  const { status, stdout, stderr } = await git.run(words, { place: { gitDir }, answers: [128] })
  const commit = status === 0 ? parseCommitId(stdout.toString('latin1').trim()) : undefined
  if (commit !== undefined) return commit
  throw new AppError('no_commit', `${revision} names no commit of ${gitDir}`, {
    hint: 'name a branch, a tag or a commit that `git rev-parse` knows in this checkout',
    cause: new GitError('rev-parse', status, null, stderr),
  })
}

/** The caller's commit with its changes. Two spawns for a clean checkout, both at once. */
async function captureHead(git: Git, capture: BaseCapture): Promise<Base> {
  const { checkout, task } = capture
  const { commonDir } = checkout.place
  // What every capture needs is started at the first change that git tells of.
  let started: StartedCapture | undefined
  const start = () => {
    started ??= startCapture(git, placeOf(checkout), { gitDir: commonDir })
    return started
  }
  const surveying = readSourceStatus(git, capture, start)
  // Held at once, beside the look at the files: for a clean checkout this is all there is to do.
  const holding = git.run(['update-ref', refOf(task, 'base'), checkout.head], {
    place: { gitDir: commonDir },
  })
  await Promise.allSettled([surveying, holding])
  reach('base.looked-at')
  try {
    try {
      await holding
      return await captureChanges(git, capture, await surveying, start)
    } finally {
      // Nothing, once it has finished; but what was refused has not.
      await started?.abort()
    }
  } catch (error) {
    // A repository that cannot drop a ref could not make one: what failed first is what matters.
    await dropBase(git, commonDir, task).catch(() => undefined)
    reach('refusal.ref-dropped')
    if (error instanceof AppError) throw error
    const code = error instanceof GitError && error.isFull ? 'no_space' : 'capture_failed'
    throw new AppError(code, `the working files were not taken: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function placeOf({ gitDir, place }: Checkout): GitPlace & { workTree: string } {
  return { gitDir, commonDir: place.commonDir, workTree: place.root }
}

/**
 * The status of the source, with the edits that index flags hide. Nearly always there are none, so
 * the flags are looked for beside the first status and not before it. That one reads the original
 * index, which git does not write to: it is told to take no optional locks.
 */
async function readSourceStatus(
  git: Git,
  { checkout, scratch, order }: BaseCapture,
  onEntry: () => void,
): Promise<StatusReport> {
  const place = placeOf(checkout)
  const options = {
    ignoreSubmodules: 'none',
    untrackedFiles: order.changes === 'all',
    ignoredFiles: false,
    limit: order.maxFiles,
    onEntry,
  } as const
  const reading = readStatus(git, place, options)
  // Awaited below, after a look at the index that itself may fail.
  reading.catch(() => undefined)
  // Git's own answer must have been started before this one: it is what takes the time.
  await setImmediate()
  const bytes = readIndex(checkout.gitDir)
  if (bytes === undefined || !mayHideEdits(bytes, checkout.objectFormat)) return await reading

  const status = await reading
  using index = copyIndex(checkout.gitDir, scratch)
  reach('base.index-copied')
  const privately = { ...place, indexFile: index.file }
  const hidden = await hiddenPaths(git, privately, await readIndexFacts(git, privately))
  if (hidden.skipped.length + hidden.assumed.length === 0) return status
  await clearHiddenFlags(git, privately, index, hidden)
  return await readStatus(git, privately, options)
}

async function captureChanges(
  git: Git,
  { checkout, scratch, order, task, now, freeBytes }: BaseCapture,
  status: StatusReport,
  start: () => StartedCapture,
): Promise<Base> {
  const { place, head } = checkout
  refuseUnmerged(status)
  if (status.head !== head) {
    throw new AppError('capture_failed', 'HEAD moved while the working files were looked at', {
      hint: 'try again',
    })
  }
  if (status.entries.length === 0 && status.warnings.length === 0) {
    return { commit: head, changes: null }
  }
  const changes = changesAgainstHead(status)
  const started = start()
  started.conversions.ask(presentPaths(changes))
  const bytes = refuseTooLarge(place.root, changes, status.stopped, order)
  if (freeBytes(place.commonDir) < bytes + SPARE_BYTES) {
    throw new AppError(
      'no_space',
      `taking ${shownSize(bytes)} of changes needs more space than is free at ${place.commonDir}`,
      { hint: 'free some space there, or run it without the changes' },
    )
  }

  const target: GitPlace = { gitDir: place.commonDir }
  using index = lazyCopy(checkout.gitDir, scratch)
  const source = {
    place: () => ({ ...placeOf(checkout), indexFile: index.file() }),
    root: place.root,
    format: checkout.objectFormat,
  }
  return await withCapture(git, started, source, changes, async taken => {
    reach('base.blobs-given')
    const staged = stagedDelta(status)
    const leftOut = [...taken.leftOut, ...status.warnings]
    if (taken.delta.size === 0 && staged.size === 0 && leftOut.length === 0) {
      await taken.importer.finish()
      return { commit: head, changes: null }
    }
    const common = { ref: refOf(task, 'base'), from: head, time: Math.floor(now / 1000) }
    const deltas = staged.size > 0 ? [staged, taken.delta] : [taken.delta]
    if (staged.size > 0) {
      const message = `holdfast ${task}: the caller's index\n`
      await taken.importer.commit({ ...common, message, merge: [], entries: staged })
    }
    const message = `holdfast ${task}: the caller's working files\n`
    const merge = staged.size > 0 ? [0] : []
    await taken.importer.commit({ ...common, message, merge, entries: taken.delta })
    reach('base.commits-given')
    const storing = taken.importer.finish().then(ids => {
      reach('base.imported')
      if (ids.length !== deltas.length) throw new Error('git fast-import named too few commits')
      return deltas.map((delta, n) => ({ commit: ids[n] ?? head, parent: head, delta }))
    })
    await verifyCommits(git, target, storing)
    reach('base.read-back')
    const ids = (await storing).map(({ commit }) => commit)
    const snapshot = ids.at(-1) ?? head
    const stagedCommit = ids.length > 1 ? (ids[0] ?? null) : null
    return {
      commit: head,
      changes: { snapshot, staged: stagedCommit, ...countChanges(status), leftOut },
    }
  })
}

function lazyCopy(gitDir: string, scratch: string): Disposable & { file(): string } {
  let index: PrivateIndex | undefined
  return {
    file() {
      index ??= copyIndex(gitDir, scratch)
      return index.file
    },
    [Symbol.dispose]: () => index?.[Symbol.dispose](),
  }
}

function changesAgainstHead(status: StatusReport): Change[] {
  const changes = new Map<BytePath, Change>()
  for (const entry of status.entries) {
    const { path } = entry
    if (entry.kind === 'tracked') {
      const modes = [entry.head?.mode, entry.index?.mode, entry.diskMode]
      changes.set(path, {
        path,
        before: entry.head,
        present: !isDeletion(entry),
        gitlink: entry.submodule || modes.includes(GITLINK),
        indexMode: entry.index?.mode ?? null,
      })
    } else if (entry.kind === 'untracked') {
      // Staged for deletion, yet on disk: it comes twice.
      const before = changes.get(path)?.before ?? null
      const gitlink = changes.get(path)?.gitlink ?? false
      changes.set(path, { path, before, present: true, gitlink, indexMode: null })
    }
  }
  return [...changes.values()]
}

function stagedDelta(status: StatusReport): Delta {
  const staged = new Map<BytePath, TreeEntry | null>()
  for (const entry of status.entries) {
    if (entry.kind !== 'tracked' || entry.staged === '.') continue
    if (entry.head?.mode === GITLINK || entry.index?.mode === GITLINK) continue
    staged.set(entry.path, entry.index)
  }
  return staged
}

function countChanges(status: StatusReport) {
  const counts = { modified: 0, untracked: 0, deleted: 0 }
  for (const entry of status.entries) {
    if (isDeletion(entry)) counts.deleted++
    else if (entry.kind === 'tracked') counts.modified++
    else counts.untracked++
  }
  return counts
}

function refuseUnmerged(status: StatusReport): void {
  const unmerged = status.entries.filter(entry => entry.kind === 'unmerged')
  if (unmerged.length === 0) return
  const paths = unmerged.slice(0, 5).map(entry => shownPath(entry.path))
  const more = unmerged.length > paths.length ? ` and ${unmerged.length - paths.length} more` : ''
  throw new AppError('unmerged_index', `unresolved conflicts in ${paths.join(', ')}${more}`, {
    hint: 'resolve them and `git add` the files, or run it without the changes',
  })
}
