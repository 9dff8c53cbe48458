/** The checkout that a result is to go into: whether it is fit for that, and what is in it. */
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { presentPaths, startCapture, withCapture } from '../capture/capture.ts'
import type { Change } from '../capture/change.ts'
import { verifyCommits } from '../capture/read-back.ts'
import { readSourceChanges } from '../capture/source-changes.ts'
import { placeOf, readSource } from '../capture/source-status.ts'
import { makeLook } from '../files/contents.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { findOperations } from '../git/operations.ts'
import { clearHiddenFlags, copyIndex } from '../git/private-index.ts'
import type { StatusReport } from '../git/status.ts'

/** Untracked files are only taken along so that renames among them are seen: so many, no more. */
const UNTRACKED_FILES = 2_000
const UNTRACKED_BYTES = 50_000_000

/** Refuses with `operation_in_progress`: whoever is in the middle of something wants no more. */
export function refuseOperation({ gitDir, place }: Checkout): void {
  const [found] = findOperations(gitDir)
  if (found === undefined) return
  throw new AppError('operation_in_progress', `${found.what} is in progress in ${place.root}`, {
    hint: 'finish or abort it first (git status says how), or name another checkout: --to DIR',
  })
}

/** What a target holds: as a commit on top of the task's base, and which of it git does not know. */
export interface TargetState {
  readonly commit: CommitId
  readonly untracked: ReadonlySet<BytePath>
}

export interface TargetCapture {
  readonly target: Checkout
  /** The commit to be its parent: that makes it one side of a merge with the result. */
  readonly parent: CommitId
  /** The paths that the result changes. */
  readonly touched: ReadonlySet<BytePath>
  /** A repository of our own that borrows the target's objects, and takes the new ones. */
  readonly repository: string
  readonly scratch: string
  readonly now: number
}

export const EVERYTHING = {
  changes: 'all',
  maxFiles: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  revision: null,
} as const

/**
 * Takes the working files as they are. Nothing is written to the target: not its index, and no
 * object either.
 */
export async function captureTarget(git: Git, capture: TargetCapture): Promise<TargetState> {
  const { target, parent, repository, scratch, now } = capture
  const report = await readSource(git, target, EVERYTHING, scratch, () => undefined)
  const { status, flagged } = report
  refuseUnmerged(status)
  if (status.head !== target.head) {
    throw new AppError('changed_since', `HEAD of ${target.place.root} moved meanwhile`, {
      hint: 'try again',
    })
  }
  // A submodule stays what the index says: applying changes none.
  const heads = new Map<string, CommitId>()
  const found = await readSourceChanges(git, placeOf(target), report, target.objectFormat, heads)
  const { changes, untracked } = chooseChanges(status, found.changes, capture)
  const into = { gitDir: repository }
  const started = startCapture(git, placeOf(target), into)
  started.conversions.ask(presentPaths(changes))
  using index = copyIndex(target.gitDir, scratch)
  const place = {
    ...placeOf(target),
    indexFile: index.file,
    newObjects: join(repository, 'objects'),
  }
  const source = {
    async place() {
      // Git would take a flagged file for what the index says.
      await clearHiddenFlags(git, place, index, flagged)
      return place
    },
    root: target.place.root,
    format: target.objectFormat,
    provingIn: null,
  }
  return await withCapture(git, started, source, changes, async ({ importer, delta }) => {
    await importer.commit({
      ref: 'refs/heads/target',
      message: 'the working files of the target\n',
      time: Math.floor(now / 1000),
      from: parent,
      tree: target.headTree,
      merge: [],
      entries: delta,
    })
    const storing = importer.finish()
    const stored = storing.then(ids => ids.map(commit => ({ commit, parent: target.head, delta })))
    await verifyCommits(git, into, stored)
    const [commit] = await storing
    if (commit === undefined) throw new Error('git fast-import named no commit')
    return { commit, untracked }
  })
}

export function refuseUnmerged({ entries }: StatusReport): void {
  const unmerged = entries.filter(entry => entry.kind === 'unmerged')
  if (unmerged.length === 0) return
  const paths = unmerged.slice(0, 5).map(entry => shownPath(entry.path))
  const more = unmerged.length > paths.length ? ` and ${unmerged.length - paths.length} more` : ''
  throw new AppError('unmerged_index', `unresolved conflicts in ${paths.join(', ')}${more}`, {
    hint: 'resolve them and `git add` the files first',
  })
}

/** Every change of what git knows; of the rest, all if that is little, else what the result touches. */
function chooseChanges(
  status: StatusReport,
  changes: readonly Change[],
  { target, touched }: TargetCapture,
): { changes: readonly Change[]; untracked: ReadonlySet<BytePath> } {
  const untracked = new Set<BytePath>()
  for (const { kind, path } of status.entries) if (kind === 'untracked') untracked.add(path)
  const look = makeLook(target.place.root)
  let bytes = 0
  if (untracked.size <= UNTRACKED_FILES) {
    for (const path of untracked) {
      const found = look(path)
      if (found.kind === 'file') bytes += found.size
    }
  }
  if (untracked.size <= UNTRACKED_FILES && bytes <= UNTRACKED_BYTES) return { changes, untracked }
  const isWanted = ({ path, before }: Change) =>
    before !== null || !untracked.has(path) || touched.has(path)
  return { changes: changes.filter(isWanted), untracked }
}
