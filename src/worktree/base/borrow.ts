import { lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { borrowedWorktreeId } from '../../domain/ids.ts'
import type { Checkout, WorktreeRecord } from '../../ports/worktrees.ts'
import { lookAtWorktree, readPointer } from '../git/registration.ts'

/** See `Worktrees.borrowCheckout`. */
export function borrowCheckout({ place, gitDir }: Checkout, name: string): WorktreeRecord {
  const { root: path, commonDir } = place
  const reason = readLockReason(gitDir)
  if (reason !== undefined) {
    throw new AppError('refused_in_state', `the worktree ${path} is locked: ${reason}`, {
      hint: 'run it without --in-place: it gets a worktree of its own, with these changes',
    })
  }
  const { dev, ino } = lstatSync(path)
  const record = {
    id: borrowedWorktreeId(name),
    path,
    gitDir: readPointer(path) ?? join(path, '.git'),
    commonDir,
    device: dev,
    inode: ino,
  }
  if (lookAtWorktree(record) === 'present') return record
  throw new AppError('refused_in_state', `${path} keeps its git directory elsewhere, by settings`, {
    hint: 'run it without --in-place',
  })
}

/** Undefined: it is not locked. */
function readLockReason(gitDir: string): string | undefined {
  const file = join(gitDir, 'locked')
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined
  return readFileSync(file, 'utf8').trim() || 'no reason given'
}
