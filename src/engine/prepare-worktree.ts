/** Where an attempt works: its task's worktree, made for its first one, taken up again by each later one. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import { type Failure, failureOf } from '../domain/outcome.ts'
import type { Task } from '../domain/task.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import type { WorktreePlan, WorktreeRecord } from '../ports/worktrees.ts'
import { describeLoss } from './collect.ts'
import type { FollowPorts, Underway } from './follow-attempt.ts'
import { type ClaimedSpare, claimSpare } from './pool.ts'
import { readyWorktree } from './set-up.ts'
import { isMachineTrouble, isStoreTrouble } from './trouble.ts'
import { withWorktree } from './worktree-lock.ts'

/** An attempt whose agent is known; its worktree is not, yet. */
export type Claimed = Omit<Underway, 'worktree'>

export async function prepareWorktree(
  claim: Claimed,
  ports: FollowPorts,
): Promise<
  | { worktree: WorktreeRecord; failure: null; passes?: never }
  | { worktree: WorktreeRecord | null; failure: Failure; passes?: boolean }
> {
  const { task, attempt } = claim
  const { store, files } = ports
  const { repo, workplace } = task.request
  const { id, kind } = workplace
  const stored = await store.findWorktree(id)
  if (stored?.record != null) {
    const worktree = stored.record
    return { worktree, failure: describeLoss(task, worktree, ports) }
  }
  const path = workplace.path ?? files.worktreePath(attempt.task)
  const place = { id, kind, path, commonDir: repo.commonDir }
  try {
    // The row first: nothing on disk is without an owner.
    if (!(await store.leaseWorktree(attempt, place))) {
      throw new AppError('leased', `the worktree ${path} is in use by another task`)
    }
    reach('worktree.leased')
    const worktree = isOwn(claim)
      ? await makeWorktree(claim, place, ports)
      : await withWorktree(id, ports, () => makeShared(claim, place, ports))
    return { worktree, failure: null }
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    const gone = error instanceof AppError && error.code === 'not_a_repository'
    const code = gone ? 'repository_lost' : 'worktree_failed'
    return { worktree: null, failure: failureOf(code, error), passes: isMachineTrouble(error) }
  }
}

/** Whoever makes it without a task, or brings it back, may have been at that when it was leased. */
async function makeShared(
  claim: Claimed,
  place: WorktreePlan,
  ports: FollowPorts,
): Promise<WorktreeRecord> {
  const record = (await ports.store.findWorktree(place.id))?.record ?? null
  if (record === null) return await makeWorktree(claim, place, ports)
  // An attempt before this one had it almost made.
  if (claim.attempt.fence > 1) return record
  throw new AppError('leased', `the worktree ${place.path} was made by somebody else meanwhile`, {
    hint: 'hand the task in again: it starts from what is there',
  })
}

async function makeWorktree(
  { task, attempt }: Claimed,
  place: WorktreePlan,
  ports: FollowPorts,
): Promise<WorktreeRecord> {
  const { store, files, worktrees } = ports
  const { base, start } = task.request
  const { id, kind, path, commonDir } = place
  await files.clearSetUpMark(id)
  // Deleted by its user, it may have commits that only git still knows; a half-made one has none.
  if (kind === 'permanent' && !worktrees.isThere(path)) await worktrees.forgetLost(place)
  const claimed = await claimIfNew(task, attempt, path, ports)
  const worktree = claimed.worktree ?? (await worktrees.createWorktree(id, path, base, commonDir))
  if (start !== null) await worktrees.placeStart(worktree, base, start.commit)
  await readyWorktree(task, attempt, worktree, ports)
  await store.recordWorktree(attempt, worktree)
  reach('worktree.recorded')
  if (claimed.worktree !== null) await store.forgetSpare(claimed.spare)
  return worktree
}

/** A spare worktree that a task alone may take over, where nobody has tried to make its own before. */
async function claimIfNew(
  task: Task,
  attempt: ClaimedAttempt,
  path: string,
  { store, worktrees, files, clock }: FollowPorts,
): Promise<ClaimedSpare> {
  const { workplace, repo } = task.request
  if (workplace.kind !== 'managed' || worktrees.isThere(path)) return { worktree: null, why: null }
  const place = { id: workplace.id, path, commonDir: repo.commonDir }
  const claimed = await claimSpare(task, place, { store, worktrees, files })
  if (claimed.worktree === null && claimed.why !== null) {
    const note = `its worktree is made anew, not taken from those made in advance: ${claimed.why}`
    await store.recordNote(attempt.task, attempt.fence, 'attempt_started', note, clock.now())
  }
  return claimed
}

/** Whether its worktree is made for it alone. */
export function isOwn({ task }: Claimed): boolean {
  const { id, workplace } = task.request
  return workplace.kind === 'managed' && workplace.id === (id as string)
}
