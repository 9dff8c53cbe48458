/** Where a worktree's files may differ from what it was made from. Its index is not believed. */
import { readdirSync } from 'node:fs'
import type { CommitId } from '../../domain/ids.ts'
import type { SetUpTime } from '../../ports/worktrees.ts'
import { cameFromSetUp } from '../files/came-from-set-up.ts'
import { makeLook } from '../files/contents.ts'
import { type BytePath, joinPaths, pathOnDisk } from '../files/paths.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import {
  clearHiddenFlags,
  copyIndex,
  editIndex,
  emptyIndex,
  type IndexEdit,
  type IndexFacts,
  NO_FACTS,
  type PrivateIndex,
  readIndexFacts,
} from '../git/private-index.ts'
import { readSparseRules } from '../git/sparse.ts'
import {
  GITLINK,
  isDeletion,
  readStatusDespiteFilters,
  type StatusReport,
  type TreeEntry,
} from '../git/status.ts'
import type { Change, Gitlink } from './change.ts'
import { describeHidden } from './hidden-work.ts'
import { type RawDelta, readDelta } from './read-back.ts'

/**
 * A copy of the agent's index; an empty one if git cannot read it. Then every file is hashed, and
 * ignored files that the agent added by force are ignored.
 */
export async function copyUsableIndex(
  git: Git,
  gitDir: string,
  scratch: string,
  placeFor: (index: PrivateIndex) => GitPlace,
): Promise<UsableIndex> {
  const index = copyIndex(gitDir, scratch)
  try {
    return { ...index, facts: await readIndexFacts(git, placeFor(index)) }
  } catch (error) {
    index[Symbol.dispose]()
    if (!(error instanceof GitError)) throw error
    return { ...emptyIndex(scratch), facts: NO_FACTS }
  }
}

/** With what it said when it was copied. */
export interface UsableIndex extends PrivateIndex {
  readonly facts: IndexFacts
}

export interface Survey {
  /** Null: HEAD names no commit. */
  readonly head: CommitId | null
  readonly changes: readonly Change[]
  /** Submodules that have something in them. */
  readonly populated: readonly BytePath[]
  /** Repositories that are no submodules, each with a slash at the end. */
  readonly nested: readonly BytePath[]
  readonly leftOut: readonly string[]
}

/**
 * The paths where the working files may differ from the base. What the base has but the index has
 * not is put back into the private index: else a file of the caller's that was never added, and
 * that the agent's new `.gitignore` now matches, would look as if it were deleted.
 */
export async function surveyWorktree(
  git: Git,
  place: GitPlace & { workTree: string },
  index: UsableIndex,
  { baseTree, setUpAt }: { readonly baseTree: CommitId; readonly setUpAt: SetUpTime },
): Promise<Survey> {
  const { facts } = index
  const isSparse = (await readSparseRules(git, place)) !== null
  await clearHiddenFlags(git, place, index, isSparse ? { ...facts, skipped: [] } : facts)
  const populated = findPopulated(place.workTree, facts.gitlinks.keys())
  await passOver(git, place, index, populated)
  const zeros = '0'.repeat(baseTree.length)
  const unmerged = facts.unmerged.map(path => ({ path, mode: '0', object: zeros }))
  await editIndex(git, place, index, unmerged)

  const delta = await readDelta(git, place, ['diff-index', '--cached'], [baseTree])
  const missing: IndexEdit[] = []
  for (const [path, { before, after }] of delta) {
    // Not a submodule: its place may be taken by files that the index has instead.
    if (after !== null || before === null || before.mode === GITLINK) continue
    missing.push({ path, ...before })
    delta.delete(path)
  }
  await editIndex(git, place, index, missing)
  // Without an index nobody knows what a sparse checkout left out: nothing counts as deleted.
  const isUnknown = isSparse && facts.count === 0
  const absent = isUnknown ? await skipAbsent(git, place, index, missing) : facts.skipped

  const status = await readStatusDespiteFilters(git, place, {
    submodules: 'ignored',
    untrackedFiles: true,
    ignoredFiles: 'collapsed',
    limit: Number.POSITIVE_INFINITY,
  })
  const isFromSetUp = (path: BytePath) => cameFromSetUp(place.workTree, path, setUpAt)
  const unchecked = new Set(isSparse ? absent : [])
  const ignored = status.entries.flatMap(({ kind, path }) => (kind === 'ignored' ? [path] : []))
  const seen = { ...status, entries: status.entries.filter(({ kind }) => kind !== 'ignored') }
  const changes = changesAgainstBase(seen, delta, unchecked, isFromSetUp)
  const hidden = await describeHidden(git, place, [...changes.keys()], ignored, isFromSetUp)
  for (const [path, change] of submoduleChanges(place.workTree, facts, delta))
    if (!unchecked.has(path)) changes.set(path, change)
  const leftOut = isUnknown
    ? ['not taken: deletions, because the index of this sparse checkout is lost']
    : []
  return {
    head: status.head,
    changes: [...changes.values()],
    populated,
    nested: [...changes.keys()].filter(path => path.endsWith('/')),
    leftOut: [...leftOut, ...status.warnings, ...hidden],
  }
}

/** As the index says, until somebody has looked into it. */
function gitlinkOf(index: TreeEntry | null): Gitlink {
  const isGitlink = index?.mode === GITLINK
  return isGitlink ? { commit: index.object } : { refused: 'a change of a submodule' }
}

function changesAgainstBase(
  status: StatusReport,
  delta: RawDelta,
  unchecked: ReadonlySet<BytePath>,
  isFromSetUp: (path: BytePath) => boolean,
): Map<BytePath, Change> {
  const changes = new Map<BytePath, Change>()
  for (const [path, { before, after }] of delta) {
    const isGitlink = before?.mode === GITLINK || after?.mode === GITLINK
    changes.set(path, {
      path,
      before,
      present: true,
      gitlink: isGitlink ? gitlinkOf(after) : null,
      indexMode: after?.mode ?? null,
      unchecked: unchecked.has(path) ? after : null,
    })
  }
  for (const entry of status.entries) {
    const { path } = entry
    const known = changes.get(path)
    if (entry.kind === 'tracked') {
      // Only staged against HEAD, which is not what results are compared with.
      if (entry.unstaged === '.' && known === undefined) continue
      // Where the index equals the base, it says what the base has.
      const before = known === undefined ? entry.index : known.before
      const isGitlink = entry.submodule || (known !== undefined && known.gitlink !== null)
      const gitlink = isGitlink ? gitlinkOf(entry.index) : null
      const indexMode = entry.index?.mode ?? null
      // Deleted in the index alone cannot be: the base's files have been put back.
      const present = !isDeletion(entry)
      const standing = unchecked.has(path) ? entry.index : null
      changes.set(path, { path, before, present, gitlink, indexMode, unchecked: standing })
    } else if (known !== undefined || !isFromSetUp(path)) {
      const before = known?.before ?? null
      const untracked = { gitlink: null, indexMode: null, unchecked: null }
      changes.set(path, { path, before, present: true, ...untracked })
    }
  }
  return changes
}

/** Marks those of the paths that are not on disk as left out; gives them. */
async function skipAbsent(
  git: Git,
  place: GitPlace & { workTree: string },
  index: PrivateIndex,
  entries: readonly IndexEdit[],
): Promise<readonly BytePath[]> {
  const look = makeLook(place.workTree)
  const absent = entries.map(({ path }) => path).filter(path => look(path).kind === 'gone')
  const input = joinPaths(absent)
  if (absent.length > 0) {
    await git.run(['update-index', '--skip-worktree', '-z', '--stdin'], { place, input })
    index.age()
  }
  return absent
}

/**
 * Else even a status that ignores submodules looks what they stand on, and reads a configuration
 * that an agent could have written; a broken one fails all of it.
 */
export async function passOver(
  git: Git,
  place: GitPlace,
  index: PrivateIndex,
  submodules: readonly BytePath[],
): Promise<void> {
  if (submodules.length === 0) return
  const input = joinPaths(submodules)
  await git.run(['update-index', '--assume-unchanged', '-z', '--stdin'], { place, input })
  index.age()
}

/** Git was not asked about submodules: those that are gone, or something else by now. */
function submoduleChanges(
  root: string,
  facts: IndexFacts,
  delta: RawDelta,
): ReadonlyMap<BytePath, Change> {
  const look = makeLook(root)
  const others = new Map<BytePath, Change>()
  const other = (path: BytePath, before: TreeEntry | null, present: boolean) =>
    others.set(path, { path, before, present, gitlink: null, indexMode: null, unchecked: null })
  for (const [path, object] of facts.gitlinks) {
    const { kind } = look(path)
    const before = delta.has(path) ? (delta.get(path)?.before ?? null) : { mode: GITLINK, object }
    if (kind !== 'directory') other(path, before, kind !== 'gone')
  }
  for (const [path, { before, after }] of delta) {
    if (before?.mode !== GITLINK || after !== null) continue
    const { kind } = look(path)
    // Files that stand in a directory of this name are changes of their own.
    other(path, before, kind !== 'directory' && kind !== 'gone')
  }
  return others
}

/** A directory of a submodule that nobody has populated is empty. */
export function findPopulated(root: string, gitlinks: Iterable<BytePath>): BytePath[] {
  const look = makeLook(root)
  return [...gitlinks].filter(path => {
    if (look(path).kind !== 'directory') return false
    try {
      return readdirSync(pathOnDisk(root, path)).length > 0
    } catch {
      // Nobody may look: then it is said by git's own status, if at all.
      return true
    }
  })
}
