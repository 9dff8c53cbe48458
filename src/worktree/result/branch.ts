/**
 * What an agent changed as a branch of the repository: its change alone, on the commit that the task
 * started from. The caller's uncommitted changes, which the task started from too, are not in it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { Locks } from '../../ports/lock.ts'
import type { BranchOrder } from '../../ports/worktrees.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { withRepositoryLock } from '../git/registration.ts'

/** See `Worktrees.makeBranch`. */
export async function makeBranch(
  git: Git,
  locks: Locks,
  { commonDir, base, result, name, message, withBaseChanges }: BranchOrder,
): Promise<{ commit: CommitId; isNew: boolean }> {
  if (!existsSync(join(commonDir, 'HEAD'))) {
    throw new AppError('not_a_repository', `the repository ${commonDir} is gone`, {
      hint: 'the change is kept as a patch: holdfast diff',
    })
  }
  const place: GitPlace = { gitDir: commonDir }
  await requireName(git, place, name)
  const tree =
    withBaseChanges || base.changes === null
      ? await resolve(git, place, `${result}^{tree}`)
      : await replay(git, place, base, result)
  const ref = `refs/heads/${name}`
  const own = await findOwnCommits(git, place, base, result)
  return await withRepositoryLock(locks, commonDir, async () => {
    const standing = await findRef(git, place, ref)
    if (standing !== undefined && (await isSame(git, place, standing, own ?? base.commit, tree))) {
      return { commit: standing, isNew: false }
    }
    if (standing !== undefined) {
      throw new AppError(
        'refused_in_state',
        `there is a branch ${name} already, with other content`,
        {
          hint: 'name another one',
        },
      )
    }
    const commit =
      own !== null && (await resolve(git, place, `${own}^{tree}`)) === tree
        ? own
        : await commitTree(git, place, tree, own ?? base.commit, message)
    reach('branch.committed')
    // All zeros: it is made, and never moved.
    await git.run(['update-ref', ref, commit, '0'.repeat(commit.length)], { place })
    reach('branch.made')
    return { commit, isNew: true }
  })
}

async function requireName(git: Git, place: GitPlace, name: string): Promise<void> {
  const { status } = await git.run(['check-ref-format', '--branch', name], {
    place,
    answers: [1, 128],
  })
  // Git takes `-` and `@{-1}` for the branch before; that is no name.
  if (status === 0 && !name.startsWith('@') && !name.startsWith('-')) return
  throw new AppError('bad_usage', `"${name}" is no name for a branch`, {
    hint: 'letters, digits, dashes and slashes: fix/login',
  })
}

/**
 * base → result on the commit of the base: a merge whose other side is that commit, made a child of
 * the base with its changes (git 2.39 takes no merge base by name).
 */
async function replay(git: Git, place: GitPlace, base: Base, result: CommitId): Promise<CommitId> {
  const without = await commitTree(
    git,
    place,
    await resolve(git, place, `${base.commit}^{tree}`),
    baseTreeCommit(base),
    'holdfast: without the changes',
    HOLDFAST,
  )
  const { status, stdout } = await git.run(
    ['merge-tree', '--write-tree', '--name-only', '--no-messages', without, result],
    { place, answers: [1] },
  )
  const [tree = '', ...paths] = stdout.toString('utf8').trim().split('\n')
  if (status === 0) return requireId(tree)
  throw new AppError(
    'conflict',
    `the change does not fit without what was uncommitted: ${paths.join(', ')}`,
    { hint: 'to take both: --with-base-changes; into your working files: holdfast apply' },
  )
}

/** The newest of the commits that the agent made itself, where all of them are its own work alone. */
export async function findOwnCommits(
  git: Git,
  place: GitPlace,
  base: Base,
  result: CommitId,
): Promise<CommitId | null> {
  // What it committed then holds the caller's changes as well.
  if (base.changes !== null) return null
  const { stdout } = await git.run(['rev-list', '--parents', '--max-count=1', result], { place })
  const [, ...parents] = stdout.toString('latin1').trim().split(' ')
  const own = parents.map(requireId).find(parent => parent !== base.commit)
  if (own === undefined) return null
  const { status } = await git.run(['merge-base', '--is-ancestor', base.commit, own], {
    place,
    answers: [1],
  })
  return status === 0 ? own : null
}

/** Whether a branch is what was asked for, made before. */
async function isSame(
  git: Git,
  place: GitPlace,
  commit: CommitId,
  parent: CommitId,
  tree: CommitId,
): Promise<boolean> {
  if ((await resolve(git, place, `${commit}^{tree}`)) !== tree) return false
  if (commit === parent) return true
  const { stdout } = await git.run(['rev-list', '--parents', '--max-count=1', commit], { place })
  return stdout.toString('latin1').trim() === `${commit} ${parent}`
}

export const HOLDFAST = { 'user.name': 'holdfast', 'user.email': 'holdfast@localhost' }

/** In the name of the user whose branch it is; of ours where git knows no name. */
export async function commitTree(
  git: Git,
  place: GitPlace,
  tree: CommitId,
  parent: CommitId,
  message: string,
  config: Readonly<Record<string, string>> = {},
): Promise<CommitId> {
  const words = ['commit-tree', tree, '-p', parent]
  const call = { place, input: Buffer.from(`${message}\n`), config }
  try {
    return requireId((await git.run(words, call)).stdout.toString('latin1').trim())
  } catch (error) {
    const isNameless =
      error instanceof GitError && /tell me who you are|empty ident|auto-detect/.test(error.stderr)
    if (!isNameless) throw error
    const { stdout } = await git.run(words, { ...call, config: HOLDFAST })
    return requireId(stdout.toString('latin1').trim())
  }
}

export async function resolve(git: Git, place: GitPlace, name: string): Promise<CommitId> {
  const { stdout } = await git.run(['rev-parse', '--verify', '--end-of-options', name], { place })
  return requireId(stdout.toString('latin1').trim())
}

async function findRef(git: Git, place: GitPlace, ref: string): Promise<CommitId | undefined> {
  const { stdout } = await git.run(['rev-parse', '--verify', '--quiet', ref], {
    place,
    answers: [1],
  })
  return parseCommitId(stdout.toString('latin1').trim())
}

export function requireId(text: string): CommitId {
  const id = parseCommitId(text)
  if (id === undefined) throw new Error(`git named no object: ${text}`)
  return id
}
