/**
 * Takes a worktree away in such a way that it can be brought back to the byte (`restore.ts`). Each step
 * can be done again after a death.
 */
import { defaultBounds } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
import type { WorktreeKind } from '../domain/task.ts'
import type { Locks } from '../ports/lock.ts'
import type { ProcessTable } from '../ports/process-table.ts'
import type { StoredWorktree } from '../ports/store.ts'
import type { UnleasedWorktree, WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { type CleanUpPorts, findCleanUp, finishCleanUp, runCleanUp } from './clean-up.ts'
import { requireUnleased } from './retire.ts'
import { withWorktree } from './worktree-lock.ts'

export interface PutAwayPorts extends CleanUpPorts {
  readonly worktrees: Worktrees
  readonly locks: Locks
  readonly processes: ProcessTable
  /** Where whoever asks stands: who started us is no process that `processes` scans. */
  readonly directory: string
}

type SnapshotPorts = Pick<PutAwayPorts, 'store' | 'files' | 'worktrees'>

/**
 * Snapshots a worktree, runs its clean-up, proves the snapshot, and takes the directory away. Refuses
 * with `leased` while a task or a process uses it, with `work_left` where something in it cannot be
 * kept, and with `refused_in_state` where it is not of these kinds, or is not what was made. Then it
 * is as it was, or as its clean-up has left it.
 */
export async function putAway(
  id: WorktreeId,
  ports: PutAwayPorts,
  kinds: readonly WorktreeKind[] = ['managed'],
): Promise<Snapshot> {
  return await withWorktree(id, ports, async () => {
    const stored = await requireUnleased(id, kinds, ports.store)
    await refuseHeld(stored, ports)
    const [snapshot] = stored.retiring ? await ports.store.listSnapshots(id) : []
    const isHere = stored.record !== null && isPresent(stored.record, ports)
    // It was renamed, and whoever did it died: what was proven then is proven again.
    if (snapshot !== undefined && !isHere) return await takeAway(stored, snapshot, ports)
    if (stored.record === null || !isHere) {
      // Whoever began died before anything was taken, and somebody else took the directory away.
      if (stored.retiring) await ports.store.giveUpRetirement(id)
      throw notThere(stored)
    }
    if (!(await ports.store.beginRetirement(id))) throw inUse(stored.path)
    try {
      return await snapshotAndTake(stored, stored.record, ports)
    } catch (error) {
      const isTakenUp = ports.isTakenUp === true && ports.leave?.aborted === true
      if (isPresent(stored.record, ports) && !isTakenUp) await ports.store.giveUpRetirement(id)
      throw error
    }
  })
}

/** Whoever it was made for may come back to it at any moment. */
async function refuseHeld({ id, path }: StoredWorktree, { files, host }: PutAwayPorts) {
  const holder = await files.findHolder(id)
  if (holder === undefined || host.liveness(holder) === 'dead') return
  throw new AppError('leased', `${path} is in use by whoever asked for it (pid ${holder.pid})`, {
    hint: 'end it, or leave it alone',
  })
}

/**
 * In this order: what a clean-up deletes is in the snapshot before it. Where it has changed what is
 * no ignored file, or somebody else has meanwhile, that is kept in a snapshot of its own.
 */
async function snapshotAndTake(
  stored: StoredWorktree,
  record: WorktreeRecord,
  ports: PutAwayPorts,
): Promise<Snapshot> {
  const all = await ports.store.listSnapshots(stored.id)
  const begun = all.find(isBeforeCleanUp)
  if (begun !== undefined) await finishCleanUp(stored, begun.number, ports)
  refuseInhabited(stored.path, ports)
  // Whoever began it died, and nobody has leased the worktree since: it is not run twice.
  const isDone = begun !== undefined && stored.retiring
  const cleanUp = isDone ? undefined : await findCleanUp(stored, ports)
  // But somebody may have edited what is in it.
  const about = isDone ? { isKept: true, before: begun.number } : {}
  const before = await snapshotOf(stored, record, about, ports)
  // One that cannot be taken away is tried again and again.
  await forgetOlder(before, ports)
  if (cleanUp === undefined) return await takeAway(stored, before, ports)
  await ports.store.recordSnapshot({ ...before, isKept: true })
  reach('clean-up.marked')
  await runCleanUp(cleanUp, stored, before.number, ports)
  refuseInhabited(stored.path, ports)
  try {
    return await takeAway(stored, before, ports)
  } catch (error) {
    const isChanged = error instanceof AppError && error.code === 'work_left'
    if (!isChanged || !isPresent(record, ports)) throw error
    const after = await snapshotOf(stored, record, { before: before.number }, ports)
    return await takeAway(stored, after, ports)
  }
}

/** The clean-up was begun after it, and what that has deleted was not brought back since. */
export const isBeforeCleanUp = ({ isKept, before }: Snapshot) =>
  isKept === true && before === undefined

async function snapshotOf(
  { id, kind, path, commonDir }: StoredWorktree,
  record: WorktreeRecord,
  about: Pick<Snapshot, 'isKept' | 'before'>,
  { store, files, worktrees, clock }: PutAwayPorts,
): Promise<Snapshot> {
  const [newest] = await store.listSnapshots(id)
  const number = (newest?.number ?? 0) + 1
  const directory = await files.openSnapshotDirectory(id, number)
  try {
    const setUpAt = files.setUpTime(id)
    const bounds = defaultBounds.capture
    const content = await worktrees.takeSnapshot(record, number, directory, bounds, setUpAt)
    const snapshot = { ...content, worktree: id, number, kind, path, commonDir }
    const taken = { ...snapshot, ...about, takenAt: clock.now() }
    await store.recordSnapshot(taken)
    reach('snapshot.recorded')
    return taken
  } catch (error) {
    await files.removeSnapshotDirectory(id, number)
    throw error
  }
}

/** The last steps: of one that was snapshotted, and may have been renamed already. */
export async function takeAway(
  stored: StoredWorktree,
  snapshot: Snapshot,
  ports: SnapshotPorts,
): Promise<Snapshot> {
  const { store, files, worktrees } = ports
  const { id } = stored
  const directory = await files.openSnapshotDirectory(id, snapshot.number)
  const record = stored.record as UnleasedWorktree
  await worktrees.retireWorktree(record, snapshot, directory, files.trash())
  if (!(await store.forgetWorktree(id))) throw inUse(stored.path)
  reach('retire.forgotten')
  await files.clearSetUpMark(id)
  await files.dropHolder(id)
  await forgetOlder(snapshot, ports)
  return snapshot
}

/** What stood then is in the newer one, but for what a clean-up has deleted. */
async function forgetOlder(
  { worktree, number }: Pick<Snapshot, 'worktree' | 'number'>,
  ports: SnapshotPorts,
): Promise<void> {
  for (const old of await ports.store.listSnapshots(worktree)) {
    if (old.number < number && old.isKept !== true) await forget(old, ports)
  }
}

async function forget(
  { worktree, number, commonDir }: Snapshot,
  { store, files, worktrees }: SnapshotPorts,
): Promise<void> {
  await worktrees.dropSnapshot(commonDir, worktree, number)
  await files.removeSnapshotDirectory(worktree, number)
  await store.forgetSnapshot(worktree, number)
}

/** Whoever stands in it is at work there, whatever the store knows of. */
export function refuseInhabited(
  path: string,
  { processes, directory: here }: Pick<PutAwayPorts, 'processes' | 'directory'>,
): void {
  const isInside = (directory: string | null) =>
    directory === path || directory?.startsWith(`${path}/`) === true
  if (isInside(here)) {
    throw new AppError('leased', `you stand in ${path}`, { hint: 'cd out of it first' })
  }
  const standing = processes
    .scan('HOLDFAST_TASK', 0, () => undefined)
    .filter(({ directory }) => isInside(directory))
  if (standing.length === 0) return
  const who = standing.map(({ pid, name }) => `${name} (${pid})`).join(', ')
  throw new AppError('leased', `${path} is in use by ${who}`, { hint: 'end it, or leave it alone' })
}

export function isPresent(
  record: WorktreeRecord,
  { worktrees }: Pick<PutAwayPorts, 'worktrees'>,
): boolean {
  return worktrees.lookAtWorktree(record) === 'present'
}

export function inUse(path: string): AppError {
  return new AppError('leased', `${path} is in use by a task`, {
    hint: 'wait for it, or cancel it',
  })
}

function notThere({ id, path }: StoredWorktree): AppError {
  return new AppError('refused_in_state', `${path} is not what was made for ${id}`, {
    hint: 'holdfast doctor says what is there',
  })
}
