/**
 * Brings a worktree back that was put away (`put-away.ts`): HEAD, index and files as they were.
 * Killed half-way, the next call makes it anew.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
import type { Locks } from '../ports/lock.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { inUse, isBeforeCleanUp, isPresent, takeAway } from './put-away.ts'
import { withWorktree } from './worktree-lock.ts'

export interface RestorePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly locks: Locks
}

export interface RestoredWorktree {
  readonly worktree: WorktreeRecord
  readonly snapshot: Snapshot
  /** What is not as it was, in words. */
  readonly problems: readonly string[]
}

/**
 * Makes a worktree anew as it was when it was put away; at `to`, which must not exist, or (null)
 * where it stood, or, where that is taken, beside it. Refuses with `refused_in_state` where it
 * stands, and with `no_snapshot` where there is nothing to make it of.
 */
export async function restoreWorktree(
  id: WorktreeId,
  to: string | null,
  ports: RestorePorts,
): Promise<RestoredWorktree> {
  return await withWorktree(id, ports, () => restoreAlone(id, to, ports))
}

/** The same, for whoever is alone with the worktree already. */
export async function restoreAlone(
  id: WorktreeId,
  to: string | null,
  ports: RestorePorts,
): Promise<RestoredWorktree> {
  const { store, files, worktrees } = ports
  const stored = await store.findWorktree(id)
  if (stored?.record != null && isPresent(stored.record, ports)) {
    throw new AppError('refused_in_state', `${stored.path} is there`, {
      hint: `cd '${stored.path}'`,
    })
  }
  if (stored !== undefined && stored.leasedTo !== null) throw inUse(stored.path)
  const snapshots = await store.listSnapshots(id)
  const [newest] = snapshots
  if (newest === undefined) {
    throw new AppError('no_snapshot', `there is no snapshot of the worktree ${id}`, {
      hint: 'what was collected of it is in the result: holdfast result, holdfast diff',
    })
  }
  // Whoever was taking it away died in the middle.
  if (stored?.retiring === true) await takeAway(stored, newest, ports)
  const snapshot = snapshots.find(({ number }) => number === newest.before) ?? newest
  const { commonDir, kind, number } = snapshot
  // Nobody was told of one that was never finished.
  if (stored?.record === null) await worktrees.discardWorktree(id, stored.path, commonDir)
  const path = to ?? freePath(snapshot.path, worktrees)
  if (worktrees.isThere(path)) {
    throw new AppError('refused_in_state', `${path} is there already`, {
      hint: 'name a place where nothing is: --to DIR',
    })
  }
  const directory = await files.openSnapshotDirectory(id, number)
  // The row first: nothing on disk is without an owner.
  await store.planWorktree({ id, kind, path, commonDir })
  reach('restore.planned')
  const made = await worktrees.restoreWorktree({ id, path, commonDir }, snapshot, directory)
  reach('restore.made')
  await store.registerWorktree(made.worktree, kind)
  // Nobody expects what they have put somewhere themselves to be taken away.
  if (to !== null) await store.pinWorktree(id, true)
  // What it holds is in the worktree again.
  if (snapshot.isKept === true) await store.recordSnapshot({ ...snapshot, isKept: false })
  reach('restore.recorded')
  return {
    ...made,
    problems: [...made.problems, ...describeCleanUp(snapshot, snapshots)],
    snapshot,
  }
}

/** Outside of the worktree nothing comes back; and where its clean-up changed it, more is kept. */
function describeCleanUp(snapshot: Snapshot, all: readonly Snapshot[]): readonly string[] {
  const { number } = snapshot
  const others = all.filter(one => one.number > number || (one.number < number && one.isKept))
  const kept = others.map(one => {
    const when = one.number > number ? 'after' : 'before'
    const ref = `refs/holdfast/${one.worktree}/snapshot/${one.number}`
    return `what was in it ${when} its clean-up is kept: git show ${ref}`
  })
  const run = 'its clean-up was run: what that took away outside of it is not back'
  return isBeforeCleanUp(snapshot) ? [run, ...kept] : kept
}

function freePath(path: string, worktrees: Worktrees): string {
  for (let n = 1; ; n++) {
    const tried = n === 1 ? path : `${path}-${n}`
    if (!worktrees.isThere(tried)) return tried
  }
}
