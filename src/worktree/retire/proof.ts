/**
 * Whether all that lies in a tree is in a commit, or kept elsewhere: what must hold before anything
 * is taken away.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { findLateBytes } from '../capture/late-bytes.ts'
import { refOf } from '../capture/refs.ts'
import { findPopulated, passOver } from '../capture/survey.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { isPlainIndex } from '../git/index-flags.ts'
import { copyIndex, emptyIndex, type PrivateIndex, readIndexFacts } from '../git/private-index.ts'
import { readSparseRules } from '../git/sparse.ts'
import { readStatus, type StatusEntry, type StatusReport } from '../git/status.ts'
import { walkWhole } from './kept-whole.ts'

/** Enough to name; one is enough to refuse. */
const NAMED = 5

/** What the content of a worktree is held against. */
export interface Proof {
  /** Null: what it was made from. */
  readonly commit: CommitId | null
  /** What the index holds; null: that is not asked, for the index is nobody's work. */
  readonly index: CommitId | null
  /**
   * What of these submodules at a tree, and of their git directories, is not kept, by its names. Null:
   * nothing of any is.
   */
  readonly findUnkept: ((tree: string, submodules: readonly BytePath[]) => readonly string[]) | null
  /** Of an ignored file at a tree: whether nothing is lost with it. */
  readonly isKept: (tree: string) => (path: BytePath) => boolean
  /** What a program makes anew, as it is shown: nothing is lost with it, whoever has written it when. */
  readonly dropped: readonly string[]
  /** Since when no file that git converts may have been written: `late-bytes.ts`. Null: not known. */
  readonly since: bigint | null
}

/**
 * `content`: every file is hashed. `stat`: what the worktree's own index calls unchanged is believed,
 * which is enough to move a tree, and not to unlink it.
 */
export type Care = 'content' | 'stat'

/**
 * Refuses with `work_left` unless the files at `tree` are exactly those of the commit, with no others
 * but those that are kept elsewhere, and HEAD's commits are in its history. */
export async function requireProven(
  git: Git,
  worktree: WorktreeRecord,
  tree: string,
  { commit, index: indexCommit, findUnkept, isKept, since }: Proof,
  scratch: string,
  care: Care,
): Promise<void> {
  const { id, path, gitDir, commonDir } = worktree
  const left = (what: string) =>
    new AppError('work_left', `${path} holds work that was not collected: ${what}`, {
      hint: 'it is kept as it is',
    })
  const proof = commit ?? (await originOf(git, worktree))
  if (proof === undefined) throw left('it is not known what it was made from')
  const isStaged =
    indexCommit === null ? Promise.resolve(true) : holdsStaged(git, worktree, indexCommit, scratch)
  isStaged.catch(() => undefined)

  using index = indexFor(worktree, proof, scratch, care)
  const place = { gitDir, commonDir, workTree: tree, indexFile: index.file }
  await git.run(['read-tree', '--reset', proof], { place })
  index.age()
  const submodules = await findSubmodules(git, place, proof)
  if (findUnkept === null && (submodules.length > 0 || hasEntries(join(gitDir, 'modules')))) {
    throw left(`submodules ${submodules.map(shownPath).join(', ')}`)
  }
  const unkept = findUnkept?.(tree, submodules) ?? []
  if (unkept.length > 0) throw left(someOf(unkept))
  await passOver(git, place, index, submodules)
  const containing = git.run(['merge-base', '--is-ancestor', 'HEAD', proof], {
    place: { gitDir, commonDir },
    // 128: it names no commit, which the status says too.
    answers: [1, 128],
  })
  containing.catch(() => undefined)
  const status = await lookAt(git, place)
  const unchecked = await readUnchecked(git, worktree, tree)
  const isSafe = isKept(tree)
  const differing = describeDiffering(status, entry =>
    entry.kind === 'tracked'
      ? entry.unstaged !== '.' && !(entry.unstaged === 'D' && unchecked.has(entry.path))
      : entry.kind === 'unmerged' || !isSafe(entry.path),
  )
  if (differing !== null) throw left(differing)
  const { head } = status
  if (head === null) throw left(`HEAD of ${id} names no commit`)
  if ((await containing).status !== 0) throw left(`commit ${head}`)
  if (!(await isStaged)) throw left('what is staged')
  const late = since === null ? null : await findLateBytes(git, place, proof, since)
  if (late !== null) throw left(late)
}

/**
 * What at a tree that is of no worktree any more is neither in the commit nor kept, in words; null:
 * nothing. Every file is hashed, but those of submodules, which are in no commit. What is no longer
 * there is not asked for.
 */
export async function findUnproven(
  git: Git,
  commonDir: string,
  tree: string,
  {
    commit,
    isKept,
    since,
  }: {
    readonly commit: CommitId
    readonly isKept: (path: BytePath) => boolean
    readonly since: bigint
  },
  scratch: string,
): Promise<string | null> {
  using index = emptyIndex(scratch)
  const place = { gitDir: commonDir, workTree: tree, indexFile: index.file }
  await git.run(['read-tree', '-m', commit], { place, config: NOT_SPARSE })
  const submodules = await findSubmodules(git, place, commit)
  const inside = submodules.flatMap(top => walkWhole(tree, top, isKept).files)
  const late = inside.filter(path => !isKept(path)).map(shownPath)
  if (late.length > 0) return someOf(late)
  await passOver(git, place, index, submodules)
  const differing = describeDiffering(await lookAt(git, place, NOT_SPARSE), entry =>
    entry.kind === 'tracked'
      ? entry.unstaged !== '.' && entry.unstaged !== 'D'
      : entry.kind === 'unmerged' || !isKept(entry.path),
  )
  return differing ?? (await findLateBytes(git, place, commit, since))
}

/** The settings of the repository's own checkout are none of a tree that has left its worktree. */
const NOT_SPARSE = { 'core.sparseCheckout': 'false' }

const lookAt = (git: Git, place: GitPlace, config: Readonly<Record<string, string>> = {}) =>
  readStatus(git, place, {
    submodules: 'ignored',
    untrackedFiles: true,
    ignoredFiles: true,
    limit: Number.POSITIVE_INFINITY,
    config,
  })

function describeDiffering(
  { entries, warnings }: StatusReport,
  differs: (entry: StatusEntry) => boolean,
): string | null {
  const differing = entries.filter(differs).map(entry => shownPath(entry.path))
  const named = [...(differing.length === 0 ? [] : [someOf(differing)]), ...warnings]
  return named.length === 0 ? null : named.join(', ')
}

function someOf(names: readonly string[]): string {
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : []
  return [...names.slice(0, NAMED), ...more].join(', ')
}

const formatOf = (commit: CommitId) => (commit.length === 64 ? 'sha256' : 'sha1')

/** The worktree's own index is believed only where it hides nothing. */
function indexFor(
  { gitDir }: WorktreeRecord,
  proof: CommitId,
  scratch: string,
  care: Care,
): PrivateIndex {
  if (care === 'content') return emptyIndex(scratch)
  const index = copyIndex(gitDir, scratch)
  if (existsSync(index.file) && !isPlainIndex(readFileSync(index.file), formatOf(proof))) {
    rmSync(index.file)
  }
  return index
}

async function findSubmodules(
  git: Git,
  place: GitPlace & { readonly workTree: string; readonly indexFile: string },
  proof: CommitId,
): Promise<readonly BytePath[]> {
  if (isPlainIndex(readFileSync(place.indexFile), formatOf(proof))) return []
  const { gitlinks } = await readIndexFacts(git, place)
  return findPopulated(place.workTree, gitlinks.keys())
}

/** Whether the worktree's own index holds the tree of a commit, and nothing else. */
async function holdsStaged(
  git: Git,
  { gitDir, commonDir }: WorktreeRecord,
  commit: CommitId,
  scratch: string,
): Promise<boolean> {
  using index = copyIndex(gitDir, scratch)
  const place = { gitDir, commonDir, indexFile: index.file }
  const words = [
    'diff-index',
    '--cached',
    '--quiet',
    '--ita-invisible-in-index',
    '--ignore-submodules',
    commit,
  ]
  const { status } = await git.run(words, { place, answers: [1] })
  return status === 0
}

/** What a sparse checkout has left out: it is not there, and not deleted. */
async function readUnchecked(
  git: Git,
  { gitDir, commonDir }: WorktreeRecord,
  tree: string,
): Promise<ReadonlySet<BytePath>> {
  const place = { gitDir, commonDir, workTree: tree }
  const isSparse = (await readSparseRules(git, place)) !== null
  return new Set(isSparse ? (await readIndexFacts(git, place)).skipped : [])
}

/** Where nothing was collected, what the worktree was made from is held by the base's ref. */
async function originOf(
  git: Git,
  { id, commonDir }: WorktreeRecord,
): Promise<CommitId | undefined> {
  const { stdout } = await git.run(['rev-parse', '--verify', '--quiet', refOf(id, 'base')], {
    place: { gitDir: commonDir },
    answers: [1],
  })
  return parseCommitId(stdout.toString('latin1').trim())
}

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch {
    // There is none: no submodule was ever fetched in this worktree.
    return false
  }
}
