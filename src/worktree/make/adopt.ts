/** Taking over a worktree that another tool has made: its lock changes, and nothing else on the disk. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { WorktreeId } from '../../domain/ids.ts'
import type { Locks } from '../../ports/lock.ts'
import type { WorktreePlan, WorktreeRecord } from '../../ports/worktrees.ts'
import type { Git } from '../git/git.ts'
import {
  findRegistration,
  isLockedFor,
  lockReason,
  withRepositoryLock,
} from '../git/registration.ts'
import { recogniseWorktree } from './lost.ts'

/** See `Worktrees.adoptWorktree`. */
export async function adoptWorktree(
  git: Git,
  locks: Locks,
  { id, path, commonDir }: WorktreePlan,
  seenLock: string | null,
): Promise<WorktreeRecord> {
  return await withRepositoryLock(locks, commonDir, async () => {
    const registration = findRegistration(commonDir, path)
    if (registration === undefined) throw changed(path, 'git does not know it any more')
    if (!isLockedFor(registration, id)) {
      if (readLock(registration) !== seenLock) throw changed(path, 'its lock has changed')
      const place = { gitDir: commonDir }
      if (seenLock !== null) await git.run(['worktree', 'unlock', path], { place })
      await git.run(['worktree', 'lock', '--reason', lockReason(id), path], { place })
    }
    reach('adopt.locked')
    const record = recogniseWorktree({ id, kind: 'permanent', path, commonDir })
    if (record !== undefined) return record
    throw changed(path, 'it is not what git has written down')
  })
}

/** See `Worktrees.releaseWorktree`. */
export async function releaseWorktree(
  git: Git,
  locks: Locks,
  id: WorktreeId,
  path: string,
  commonDir: string,
): Promise<void> {
  await withRepositoryLock(locks, commonDir, async () => {
    const registration = findRegistration(commonDir, path)
    if (registration === undefined || !isLockedFor(registration, id)) return
    await git.run(['worktree', 'unlock', path], { place: { gitDir: commonDir } })
  })
}

/** As git lists it; null: not locked. */
function readLock(registration: string): string | null {
  try {
    return readFileSync(join(registration, 'locked'), 'utf8').replace(/\n$/, '')
  } catch {
    return null
  }
}

const changed = (path: string, why: string) =>
  new AppError('refused_in_state', `${path} is not taken over: ${why}`)
