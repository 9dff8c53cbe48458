/** What makes whoever puts a worktree away, brings it back or makes it for nobody alone with it. */
import type { WorktreeId } from '../domain/ids.ts'
import type { Locks } from '../ports/lock.ts'

/** A worktree of 50,000 files is made or snapshotted in seconds. */
const LOCK_LIMIT_MS = 10 * 60_000

/** Whether somebody puts it away, or brings it back, at this moment. */
export function isOnItsWay(id: WorktreeId, { locks }: { readonly locks: Locks }): boolean {
  return locks.isHeld(lockOf(id))
}

const lockOf = (id: WorktreeId) => `worktree-${id}`

/** Runs `work` while nobody puts a worktree away, or brings it back. */
export async function withWorktree<T>(
  id: WorktreeId,
  { locks }: { readonly locks: Locks },
  work: () => Promise<T>,
): Promise<T> {
  return await locks.withLock(lockOf(id), LOCK_LIMIT_MS, work)
}

/** Undefined: somebody puts it away, or brings it back, at this moment. */
export async function tryAlone<T>(
  id: WorktreeId,
  locks: Locks,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const lock = locks.tryAcquire(lockOf(id))
  if (lock === undefined) return undefined
  try {
    return await work()
  } finally {
    lock.release()
  }
}
