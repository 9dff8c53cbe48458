/** Worktrees of ours that the store does not know as they are: found again, or gone for good. */
import { existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { type CommitId, parseCommitId, type WorktreeId } from '../../domain/ids.ts'
import type { Locks } from '../../ports/lock.ts'
import type { WorktreePlan, WorktreeRecord } from '../../ports/worktrees.ts'
import { refOf } from '../capture/refs.ts'
import type { Git, GitPlace } from '../git/git.ts'
import {
  findRegistration,
  isLockedFor,
  lookAtWorktree,
  readPointer,
  unregister,
  withRepositoryLock,
} from '../git/registration.ts'

/** See `Worktrees.recogniseWorktree`. Git must call it ours, by the reason of its lock. */
export function recogniseWorktree(place: WorktreePlan): WorktreeRecord | undefined {
  const { id, kind, commonDir } = place
  const path = asGitNames(place.path)
  const directory = lstatSync(path, { throwIfNoEntry: false })
  if (directory === undefined) return undefined
  const gitDir = readPointer(path) ?? join(path, '.git')
  const { dev: device, ino: inode } = directory
  const record = { id, path, gitDir, commonDir, device, inode }
  if (lookAtWorktree(record) !== 'present') return undefined
  return kind === 'borrowed' || isLockedFor(gitDir, id) ? record : undefined
}

export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** See `Worktrees.isGone`. */
export function isGone({ path, device }: WorktreeRecord): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false
  // On what is not mounted now, its parent is missing too, or is the empty place of the mount.
  return statSync(dirname(path), { throwIfNoEntry: false })?.dev === device
}

/** See `Worktrees.forgetLost`. */
export async function forgetLost(
  git: Git,
  locks: Locks,
  { id, path, commonDir }: WorktreePlan,
): Promise<CommitId | null> {
  if (!existsSync(join(commonDir, 'HEAD'))) return null
  const named = asGitNames(path)
  return await withRepositoryLock(locks, commonDir, async () => {
    const registration = findRegistration(commonDir, named)
    if (registration === undefined || !isLockedFor(registration, id)) return null
    if (lstatSync(named, { throwIfNoEntry: false }) !== undefined) {
      throw new AppError('refused_in_state', `${named} is there again: nothing was touched`)
    }
    if (hasEntries(join(registration, 'modules'))) {
      throw new AppError('work_left', `${registration} holds repositories of submodules`, {
        hint: 'they may hold commits of the agent; it is kept as it is',
      })
    }
    const left = await holdWhatIsLeft(git, { gitDir: registration, commonDir }, id)
    await unregister(commonDir, named, id)
    return left
  })
}

/** The commits of its HEAD and the files in its index, unless base or result hold them already. */
async function holdWhatIsLeft(
  git: Git,
  place: GitPlace & { readonly commonDir: string },
  id: WorktreeId,
): Promise<CommitId | null> {
  const resolve = async (name: string) => {
    const { stdout } = await git.run(['rev-parse', '--verify', '--quiet', name], {
      place,
      answers: [1, 128],
    })
    return parseCommitId(stdout.toString('latin1').trim())
  }
  const head = await resolve('HEAD^{commit}')
  // Killed while it was registered: nobody ever worked in it.
  if (head === undefined) return null
  const [base, result] = [refOf(id, 'base'), refOf(id, 'result')]
  const tree = await indexTree(git, place)
  const known = ['HEAD', base, `${base}^1`, `${base}^2`, result].map(name => `${name}^{tree}`)
  const isNew = tree !== undefined && !(await Promise.all(known.map(resolve))).includes(tree)
  if (!isNew && (await isHeld(git, place, head))) return null
  const left = isNew ? await commitTree(git, place, tree, head) : head
  await git.run(['update-ref', `refs/holdfast/${id}/left`, left], {
    place: { gitDir: place.commonDir },
  })
  return left
}

/** Undefined: it has none, or one in the middle of a merge, of which HEAD's side is held. */
async function indexTree(git: Git, place: GitPlace): Promise<CommitId | undefined> {
  const indexFile = join(place.gitDir, 'index')
  if (!existsSync(indexFile)) return undefined
  const { status, stdout } = await git.run(['write-tree'], {
    place: { ...place, indexFile },
    answers: [128],
  })
  return status === 0 ? parseCommitId(stdout.toString('latin1').trim()) : undefined
}

async function commitTree(git: Git, place: GitPlace, tree: CommitId, parent: CommitId) {
  const message = 'what its index held when the worktree was lost'
  const { stdout } = await git.run(['commit-tree', '-p', parent, '-m', message, tree], {
    place,
    config: { 'user.name': 'holdfast', 'user.email': 'holdfast@localhost' },
  })
  const commit = parseCommitId(stdout.toString('latin1').trim())
  if (commit === undefined) throw new Error('git commit-tree named no commit')
  return commit
}

/** By any ref: a worktree that is shared bears the work of many tasks. */
async function isHeld(git: Git, place: GitPlace, commit: CommitId): Promise<boolean> {
  const words = ['rev-list', '--max-count=1', commit, '--not', '--glob=refs/*']
  const { status, stdout } = await git.run(words, { place, answers: [128] })
  return status === 0 && stdout.length === 0
}

/** Git writes real paths down; of what is gone, that of its parent is known. */
export function asGitNames(path: string): string {
  const parent = dirname(path)
  return existsSync(parent) ? join(realpathSync(parent), basename(path)) : path
}

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch {
    // There is none: no submodule was ever fetched in it.
    return false
  }
}
