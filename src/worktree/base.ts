/** What a task starts from: the caller's commit and uncommitted changes, taken without a trace. */
import { statfsSync } from 'node:fs'
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { type CommitId, parseCommitId, type TaskId } from '../domain/ids.ts'
import type { Base, BaseChanges } from '../domain/task.ts'
import type { CaptureOrder, Checkout } from '../ports/worktrees.ts'
import { commitBase } from './base-commits.ts'
import { refuseTooLarge, shownSize } from './bounds.ts'
import {
  type Delta,
  presentPaths,
  type StartedCapture,
  startCapture,
  withCapture,
} from './capture.ts'
import type { Change } from './change.ts'
import { startFastImport } from './fast-import.ts'
import { type Git, GitError, type GitPlace } from './git.ts'
import { describeOperations } from './operations.ts'
import { type BytePath, shownPath } from './paths.ts'
import {
  clearHiddenFlags,
  copyIndex,
  type HiddenPaths,
  type PrivateIndex,
} from './private-index.ts'
import { dropBase, refOf } from './refs.ts'
import { readSourceChanges } from './source-changes.ts'
import { placeOf, readGitlinks, readSource, type SourceReport } from './source-status.ts'
import { readSparseRules } from './sparse.ts'
import {
  type CapturedSubmodules,
  captureSubmodules,
  headsOf,
  readGitlinksOf,
} from './submodules.ts'
import { describeTraits, NO_TRAITS, type Traits } from './traits.ts'

/** Left free for the record of the task itself, whatever the estimate says. */
const SPARE_BYTES = 16 * 1024 * 1024

const CLOSED_HINT =
  'what a task starts from is kept in the repository, as objects and refs/holdfast/…; clone it to where you may write'

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
  const { checkout, order } = capture
  const { revision, changes } = order
  const commit =
    revision === null ? checkout.head : await requireCommit(git, checkout.gitDir, revision)
  if (changes !== 'none' && commit === checkout.head) return await captureHead(git, capture)
  return await takingBack(git, capture, () => captureCommit(git, capture, commit))
}

/** A commit without changes, and its submodules as it names them. Nearly always one spawn. */
async function captureCommit(git: Git, capture: BaseCapture, commit: CommitId): Promise<Base> {
  const { checkout, task, now } = capture
  const { commonDir } = checkout.place
  const place: GitPlace = { gitDir: commonDir }
  const found = await captureSubmodulesOf(git, capture, commit)
  const sparse = await readSparseRules(git, placeOf(checkout))
  const counts = { modified: 0, untracked: 0, deleted: 0 }
  const changes = { ...counts, leftOut: found.leftOut }
  if (sparse === null) {
    await git.run(['update-ref', refOf(task, 'base'), commit], { place })
    const none = { snapshot: commit, staged: null, traits: null }
    return makeBase(commit, found.leftOut.length === 0 ? null : { ...none, ...changes }, found)
  }
  const { objectFormat: format } = checkout
  const traits = { ...NO_TRAITS, sparse }
  const content = { task, commit, format, now, staged: NONE, working: NONE, traits }
  const made = await commitBase(git, place, startFastImport(git, place), content)
  return makeBase(commit, { ...made, ...changes }, found)
}

/** Those that are populated, where another commit than the checkout's own is asked for. */
async function captureSubmodulesOf(
  git: Git,
  capture: BaseCapture,
  commit: CommitId,
): Promise<CapturedSubmodules> {
  const { checkout, order, scratch } = capture
  const paths = await readGitlinks(git, checkout, scratch)
  if (paths.length === 0) return { submodules: [], leftOut: [] }
  const named = await readGitlinksOf(git, { gitDir: checkout.place.commonDir }, commit)
  const orderOf = (path: BytePath): CaptureOrder | undefined => {
    const revision = named.get(path)
    return revision === undefined ? undefined : { ...order, changes: 'none', revision }
  }
  const capturing = (submodule: Checkout, its: CaptureOrder) =>
    captureBase(git, { ...capture, checkout: submodule, order: its })
  return await captureSubmodules(git, checkout, paths, orderOf, capturing)
}

function makeBase(
  commit: CommitId,
  changes: BaseChanges | null,
  { submodules }: CapturedSubmodules,
): Base {
  return submodules.length === 0 ? { commit, changes } : { commit, changes, submodules }
}

const NONE: Delta = new Map()

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
  const { checkout, order, scratch, task } = capture
  const { commonDir } = checkout.place
  // What every capture needs is started at the first change that git tells of.
  let started: StartedCapture | undefined
  const start = () => {
    started ??= startCapture(git, placeOf(checkout), { gitDir: commonDir })
    return started
  }
  const surveying = readSource(git, checkout, order, scratch, start)
  // Held at once, beside the look at the files: for a clean checkout this is all there is to do.
  const holding = git.run(['update-ref', refOf(task, 'base'), checkout.head], {
    place: { gitDir: commonDir },
  })
  await Promise.allSettled([surveying, holding])
  reach('base.looked-at')
  return await takingBack(git, capture, async () => {
    try {
      await holding
      return await captureChanges(git, capture, await surveying, start)
    } finally {
      // Nothing, once it has finished; but what was refused has not.
      await started?.abort()
    }
  })
}

/** If it fails, no ref is left. */
async function takingBack(
  git: Git,
  { checkout, task }: BaseCapture,
  work: () => Promise<Base>,
): Promise<Base> {
  try {
    return await work()
  } catch (error) {
    // A repository that cannot drop a ref could not make one: what failed first is what matters.
    await dropBase(git, checkout.place.commonDir, task).catch(() => undefined)
    reach('refusal.ref-dropped')
    if (error instanceof AppError) throw error
    const code = error instanceof GitError && error.isFull ? 'no_space' : 'capture_failed'
    const isClosed =
      error instanceof GitError &&
      /Permission denied|Read-only file system|unable to create directory/.test(error.stderr)
    throw new AppError(code, `the working files were not taken: ${messageOf(error)}`, {
      ...(isClosed ? { hint: CLOSED_HINT } : {}),
      cause: error,
    })
  }
}

async function captureChanges(
  git: Git,
  capture: BaseCapture,
  report: SourceReport,
  start: () => StartedCapture,
): Promise<Base> {
  const { checkout, scratch, order, task, now, freeBytes } = capture
  const { place, head, objectFormat: format } = checkout
  const { status, hidden, flagged, sparse, gitlinks } = report
  if (status.head !== head) {
    throw new AppError('capture_failed', 'HEAD moved while the working files were looked at', {
      hint: 'try again',
    })
  }
  const inner = await captureSubmodules(
    git,
    checkout,
    gitlinks,
    () => order,
    (submodule, its) => captureBase(git, { ...capture, checkout: submodule, order: its }),
  )
  const heads = headsOf(inner.submodules)
  const found = await readSourceChanges(git, placeOf(checkout), report, format, heads)
  const nested = found.changes.map(({ path }) => path).filter(path => path.endsWith('/'))
  const seen: Traits = { ...NO_TRAITS, ...found, ...hidden, sparse, nested }
  const notes = [
    ...found.intendedAndGone.map(path => `${shownPath(path)}: not taken: an intent to add no file`),
    ...status.warnings,
    ...describeOperations(checkout.gitDir),
    ...inner.leftOut,
  ]
  if (status.entries.length === 0 && describeTraits(seen).size === 0) {
    const nothing = { snapshot: head, staged: null, traits: null, ...found.counts }
    return makeBase(head, notes.length === 0 ? null : { ...nothing, leftOut: notes }, inner)
  }
  const started = start()
  started.conversions.ask(presentPaths(found.changes))
  const bytes = refuseTooLarge(place.root, found.changes, status.stopped, order)
  if (freeBytes(place.commonDir) < bytes + SPARE_BYTES) {
    throw new AppError(
      'no_space',
      `taking ${shownSize(bytes)} of changes needs more space than is free at ${place.commonDir}`,
      { hint: 'free some space there, or leave the changes: --changes none' },
    )
  }

  const target: GitPlace = { gitDir: place.commonDir }
  using index = lazyIndex(git, checkout, scratch, flagged, found.changes)
  const source = { place: index.place, root: place.root, format, provingIn: scratch }
  return await withCapture(git, started, source, found.changes, async ({ importer, ...taken }) => {
    reach('base.blobs-given')
    const leftOut = [...taken.leftOut, ...notes]
    const { verbatim, converted, unchecked, delta: working } = taken
    const traits = { ...seen, verbatim, converted, unchecked }
    const { staged, counts } = found
    const size = working.size + staged.size + leftOut.length + describeTraits(traits).size
    if (size === 0) {
      await importer.finish()
      return makeBase(head, null, inner)
    }
    const content = { task, commit: head, format, now, staged, working, traits }
    const made = await commitBase(git, target, importer, content)
    return makeBase(head, { ...made, ...counts, leftOut }, inner)
  })
}

/** A private index in which no flag keeps git from a changed file; nearly always nobody asks. */
function lazyIndex(
  git: Git,
  checkout: Checkout,
  scratch: string,
  flagged: HiddenPaths,
  changes: readonly Change[],
): Disposable & { place(): Promise<GitPlace> } {
  let index: PrivateIndex | undefined
  let cleared: Promise<GitPlace> | undefined
  const copy = async () => {
    index = copyIndex(checkout.gitDir, scratch)
    const place = { ...placeOf(checkout), indexFile: index.file }
    const changed = new Set(changes.map(({ path }) => path))
    await clearHiddenFlags(git, place, index, {
      skipped: flagged.skipped.filter(path => changed.has(path)),
      assumed: flagged.assumed.filter(path => changed.has(path)),
    })
    return place
  }
  return {
    place() {
      cleared ??= copy()
      return cleared
    },
    [Symbol.dispose]: () => index?.[Symbol.dispose](),
  }
}
