/**
 * Removes a worktree, once everything in it is proven to be in a commit, or kept elsewhere. Each step
 * can be done again after a crash, and until the last one all is still there.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import { type CommitId, parseCommitId } from '../domain/ids.ts'
import type { Locks } from '../ports/lock.ts'
import type { UnleasedWorktree, WorktreeRecord } from '../ports/worktrees.ts'
import { discardTree } from './discard.ts'
import type { Git, GitPlace } from './git.ts'
import { type BytePath, shownPath } from './paths.ts'
import { copyIndex, emptyIndex, readIndexFacts } from './private-index.ts'
import { refOf } from './refs.ts'
import {
  findRegistration,
  isLockedFor,
  lookAtWorktree,
  unregister,
  withRepositoryLock,
} from './registration.ts'
import { readSparseRules } from './sparse.ts'
import { readStatus } from './status.ts'
import { populatedSubmodules } from './survey.ts'

/** Enough to name; one is enough to refuse. */
const NAMED = 5

/** What the content of a worktree is held against. */
export interface Proof {
  /** Null: what it was made from. */
  readonly commit: CommitId | null
  /** What the index holds; null: that is not asked, for the index is nobody's work. */
  readonly index: CommitId | null
  /** Of an ignored file at a tree: whether nothing is lost with it. */
  readonly isKept: (tree: string) => (path: BytePath) => boolean
}

/** See `Worktrees.removeWorktree`. */
export async function removeWorktree(
  git: Git,
  locks: Locks,
  worktree: UnleasedWorktree,
  proof: Proof,
  trash: string,
): Promise<void> {
  const { id, path, gitDir, commonDir } = worktree
  mkdirSync(trash, { recursive: true, mode: 0o700 })
  const trashed = join(trash, id)

  const state = lookAtWorktree(worktree)
  if (state === 'repository_lost') {
    throw new AppError('refused_in_state', `${commonDir} is gone: nothing in ${path} can be proven`)
  }
  if (state === 'unseen') {
    throw new AppError('refused_in_state', `${path} cannot be looked at`, {
      hint: `see who may enter it: ls -ld '${path}'`,
    })
  }
  if (state === 'present') {
    await requireProven(git, worktree, path, proof, trash)
    reach('retire.proven')
    moveAside(path, trashed)
    reach('retire.renamed')
    // Who had it open could write until the rename: the proof that counts is of what lies there now.
    try {
      await requireProven(git, worktree, trashed, proof, trash)
    } catch (error) {
      renameSync(trashed, path)
      throw error
    }
    reach('retire.proven-again')
  } else if (isSame(trashed, worktree)) {
    // A removal that was interrupted after the rename. What it had proven, it proves again.
    if (findRegistration(commonDir, path) === gitDir) {
      await requireProven(git, worktree, trashed, proof, trash)
    }
  } else if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    throw new AppError('refused_in_state', `${path} is no longer the worktree that was made`, {
      hint: 'nothing in it was touched; look at the directory yourself',
    })
  }

  const registration = findRegistration(commonDir, path)
  if (registration === gitDir && isLockedFor(registration, id)) {
    await withRepositoryLock(locks, commonDir, () => unregister(git, commonDir, path, id))
    reach('retire.unregistered')
  }
  if (isSame(trashed, worktree)) await discardTree(trashed)
  reach('retire.unlinked')
}

function moveAside(path: string, trashed: string): void {
  if (lstatSync(trashed, { throwIfNoEntry: false }) !== undefined) {
    throw new AppError('refused_in_state', `${trashed} is there already`, {
      hint: 'it is not the worktree that is to be removed; move it away',
    })
  }
  try {
    renameSync(path, trashed)
  } catch (error) {
    throw new AppError('refused_in_state', `${path} could not be moved to the trash`, {
      hint: 'the trash must lie on the same file system',
      cause: error,
    })
  }
}

function isSame(path: string, { device, inode }: WorktreeRecord): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.dev === device && found.ino === inode
}

/**
 * Refuses with `work_left` unless the files at `tree` are exactly those of the commit, with no others
 * but those that are kept elsewhere, and HEAD's commits are in its history. Against a fresh index, so
 * that every file is hashed: what stat data say is no proof.
 */
async function requireProven(
  git: Git,
  worktree: WorktreeRecord,
  tree: string,
  { commit, index: indexCommit, isKept }: Proof,
  scratch: string,
): Promise<void> {
  const { id, path, gitDir, commonDir } = worktree
  const left = (what: string) =>
    new AppError('work_left', `${path} holds work that was not collected: ${what}`, {
      hint: 'it is kept as it is',
    })
  using index = emptyIndex(scratch)
  const place: GitPlace = { gitDir, commonDir, workTree: tree, indexFile: index.file }
  const proof = commit ?? (await originOf(git, worktree))
  if (proof === undefined) throw left('it is not known what it was made from')

  await git.run(['read-tree', '-m', proof], { place })
  const facts = await readIndexFacts(git, place)
  const submodules = populatedSubmodules(tree, facts)
  if (submodules.length > 0 || hasEntries(join(gitDir, 'modules'))) {
    throw left(`submodules ${submodules.map(shownPath).join(', ')}`)
  }
  const { entries, head, warnings } = await readStatus(git, place, {
    submodules: 'ignored',
    untrackedFiles: true,
    ignoredFiles: true,
    limit: Number.POSITIVE_INFINITY,
  })
  const unchecked = await readUnchecked(git, worktree, tree)
  const isSafe = isKept(tree)
  const differing = entries.filter(entry =>
    entry.kind === 'tracked'
      ? entry.unstaged !== '.' && !(entry.unstaged === 'D' && unchecked.has(entry.path))
      : entry.kind === 'unmerged' || !isSafe(entry.path),
  )
  if (differing.length > 0 || warnings.length > 0) {
    const names = differing.slice(0, NAMED).map(entry => shownPath(entry.path))
    const more = differing.length > NAMED ? [`${differing.length - NAMED} more`] : []
    throw left([...names, ...more, ...warnings].join(', '))
  }
  if (head === null) throw left(`HEAD of ${id} names no commit`)
  const { status } = await git.run(['merge-base', '--is-ancestor', head, proof], {
    place: { gitDir: commonDir },
    answers: [1],
  })
  if (status !== 0) throw left(`commit ${head}`)
  if (indexCommit !== null && !(await isStaged(git, worktree, indexCommit, scratch))) {
    throw left('what is staged')
  }
}

/** Whether the worktree's own index holds the tree of a commit, and nothing else. */
async function isStaged(
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
