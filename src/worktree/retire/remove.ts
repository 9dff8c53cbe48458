/**
 * Removes a worktree, once everything in it is proven to be in a commit, or kept elsewhere. Each step
 * can be done again after a crash, and until the last one all is still there.
 */
import { lstatSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { Locks } from '../../ports/lock.ts'
import type { UnleasedWorktree, WorktreeRecord } from '../../ports/worktrees.ts'
import { discardTree } from '../files/discard.ts'
import { findNoSpace } from '../git/full-disk.ts'
import type { Git } from '../git/git.ts'
import {
  findRegistration,
  isLockedFor,
  lookAtWorktree,
  removeAside,
  unregister,
  withRepositoryLock,
} from '../git/registration.ts'
import { type Care, type Proof, requireProven } from './proof.ts'
import { dropNote, leaveInTrash, noteInTrash } from './trash.ts'

/**
 * See `Worktrees.removeWorktree` and `retireWorktree`. By `stat`: what is left in the trash is
 * hashed before it is unlinked, which is `purgeTrash`'s to do.
 */
export async function removeWorktree(
  git: Git,
  locks: Locks,
  worktree: UnleasedWorktree,
  proof: Proof,
  trash: string,
  care: Care,
): Promise<void> {
  try {
    await remove(git, locks, worktree, proof, trash, care)
  } catch (error) {
    const what = `${worktree.path} could not be taken away`
    // A proof needs a little room, for an index.
    throw findNoSpace(error, what, 'free some space; it is kept as it is') ?? error
  }
}

async function remove(
  git: Git,
  locks: Locks,
  worktree: UnleasedWorktree,
  proof: Proof,
  trash: string,
  care: Care,
): Promise<void> {
  const { id, path, gitDir, commonDir } = worktree
  mkdirSync(trash, { recursive: true, mode: 0o700 })
  const trashed = join(trash, id)
  const prove = async (tree: string) => {
    // First: what is written to the tree from now on is later than the note.
    if (care === 'stat') noteInTrash(trash, worktree, proof)
    await requireProven(git, worktree, tree, proof, trash, care)
  }

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
    try {
      await prove(path)
      reach('retire.proven')
      moveAside(path, trashed)
    } catch (error) {
      dropNote(trash, worktree)
      throw error
    }
    reach('retire.renamed')
    // Who had it open could write until the rename: the proof that counts is of what lies there now.
    try {
      await prove(trashed)
    } catch (error) {
      renameSync(trashed, path)
      dropNote(trash, worktree)
      throw error
    }
    reach('retire.proven-again')
  } else if (isSame(trashed, worktree)) {
    // A removal that was interrupted after the rename. What it had proven, it proves again.
    if (findRegistration(commonDir, path) === gitDir) await prove(trashed)
    else await withRepositoryLock(locks, commonDir, () => removeAside(commonDir))
  } else if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    throw new AppError('refused_in_state', `${path} is no longer the worktree that was made`, {
      hint: 'nothing in it was touched; look at the directory yourself',
    })
  }

  const registration = findRegistration(commonDir, path)
  if (registration === gitDir && isLockedFor(registration, id)) {
    await withRepositoryLock(locks, commonDir, () => unregister(commonDir, path, id))
    reach('retire.unregistered')
  }
  if (!isSame(trashed, worktree)) return
  if (care === 'stat') leaveInTrash(trash, worktree)
  else await discardTree(trashed)
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
