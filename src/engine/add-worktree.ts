/**
 * Makes a worktree that no task has asked for, or gives the one that is there under its id: tasks can
 * work in a permanent one by its name, a managed one is for whoever holds it. Killed half-way, the
 * next call makes it anew.
 */
import type { Bounds } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { CommitId, WorktreeId } from '../domain/ids.ts'
import type { WorktreeKind } from '../domain/task.ts'
import type { KnownProcess } from '../domain/tie.ts'
import type { StoredWorktree } from '../ports/store.ts'
import type { Checkout, WorktreeRecord } from '../ports/worktrees.ts'
import { inUse, isPresent } from './put-away.ts'
import { type RestorePorts, restoreAlone } from './restore.ts'
import { withWorktree } from './worktree-lock.ts'

export interface WorktreeOrder {
  readonly id: WorktreeId
  readonly kind: Exclude<WorktreeKind, 'borrowed'>
  /** Whose repository it is of; its ignored files come along as its `.worktreeinclude` says. */
  readonly checkout: Checkout
  readonly commit: CommitId
  readonly bounds: Bounds
  /** It stays while this process lives; null: nobody holds it. */
  readonly holder: KnownProcess | null
}

export interface AddedWorktree {
  readonly worktree: WorktreeRecord
  /** `back`: it had been put away, and is as it was then. */
  readonly how: 'made' | 'there' | 'back'
  /** What did not come along, in words. */
  readonly leftOut: readonly string[]
}

/** Refuses with `leased` while a task has it, and with `refused_in_state` what was put in its place. */
export async function addWorktree(
  order: WorktreeOrder,
  ports: RestorePorts,
): Promise<AddedWorktree> {
  const { id, holder } = order
  // What is seen here is still so when it is acted on: nobody puts it away in between.
  return await withWorktree(id, ports, async () => {
    const added = await addAlone(order, ports)
    if (holder !== null) await ports.files.keepHolder(id, holder)
    return added
  })
}

async function addAlone(order: WorktreeOrder, ports: RestorePorts): Promise<AddedWorktree> {
  const { id, holder } = order
  const { store, files } = ports
  const stored = await store.findWorktree(id)
  if (stored?.record != null && isPresent(stored.record, ports)) {
    // A second one at work there would not know of the first.
    if (holder !== null && stored.leasedTo !== null) throw inUse(stored.path)
    // Whoever made it may have died right after.
    await files.closeAdding(id)
    return { worktree: stored.record, how: 'there', leftOut: [] }
  }
  if ((await store.listSnapshots(id)).length > 0) {
    const { worktree, problems } = await restoreAlone(id, null, ports)
    return { worktree, how: 'back', leftOut: problems }
  }
  return await makeAlone(stored, order, ports)
}

async function makeAlone(
  stored: StoredWorktree | undefined,
  { id, kind, checkout, commit, bounds }: WorktreeOrder,
  { store, files, worktrees }: RestorePorts,
): Promise<AddedWorktree> {
  const { commonDir } = checkout.place
  if (stored !== undefined && stored.leasedTo !== null) throw inUse(stored.path)
  const place = { id, kind, path: files.worktreePath(id), commonDir }
  if (stored?.record != null) {
    if (!worktrees.isGone(stored.record)) throw replaced(stored.path)
    // What only its registration still holds.
    await worktrees.forgetLost(place)
  }
  // The row first: nothing on disk is without an owner.
  await store.planWorktree(place)
  reach('adding.planned')
  await files.clearSetUpMark(id)
  const scratch = await files.openAdding(id)
  let isOurs = false
  const isLeased = async () => (await store.findLease(id)) !== undefined
  try {
    const included = await worktrees.takeIncluded(checkout, scratch, bounds)
    reach('adding.taken')
    // A task that was handed in meanwhile makes it, from what it was asked for.
    if (await isLeased()) throw inUse(place.path)
    isOurs = true
    const base = { commit, changes: null }
    const worktree = await worktrees.createWorktree(id, place.path, base, commonDir)
    reach('adding.made')
    const missing = included === null ? [] : await worktrees.placeIncluded(worktree, scratch)
    // They are as set-up brings them: what is older than this mark is nobody's work.
    if (included !== null) await files.markSetUp(id)
    if (!(await store.recordPlanned(worktree))) throw inUse(place.path)
    reach('adding.recorded')
    return { worktree, how: 'made', leftOut: [...(included?.leftOut ?? []), ...missing] }
  } catch (error) {
    // Nobody was told of it yet, and a task makes nothing there while we are alone with it.
    if (isOurs || !(await isLeased())) await worktrees.discardWorktree(id, place.path, commonDir)
    await store.forgetWorktree(id)
    throw error
  } finally {
    await files.closeAdding(id)
  }
}

const replaced = (path: string) =>
  new AppError('refused_in_state', `${path} was replaced, or its disk is not mounted`, {
    hint: 'choose another name, or see: holdfast doctor',
  })
