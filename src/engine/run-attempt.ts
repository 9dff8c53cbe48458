/** One attempt from its claim to its end: worktree, launch, follow, settle. */
import type { Failure } from '../domain/outcome.ts'
import type { StoredWorktree, Tries } from '../ports/store.ts'
import { type FollowPorts, followAttempt, type Underway, type Wishes } from './follow-attempt.ts'
import { launchAgent } from './launch-agent.ts'
import { type Claimed, isOwn, prepareWorktree } from './prepare-worktree.ts'
import { recordEnd, settleAttempt } from './settle-attempt.ts'

/** Starts the agent for a fresh claim, then attends to it. `interruptedBy`: what a resume tells. */
export async function runAttempt(
  claim: Claimed,
  interruptedBy: Failure | null,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<void> {
  const { attempt } = claim
  const place = await prepareWorktree(claim, ports)
  const underway: Underway = { ...claim, worktree: place.worktree }
  if (place.failure !== null) {
    const { failure } = place
    // A full disk is not the task's failure: it is tried again, with growing pauses.
    if (place.passes === true) {
      const end = { kind: 'never_started', why: failure.message } as const
      return await settleAttempt(underway, end, wishes, ports)
    }
    await recordEnd(underway, { kind: 'attempt_failed', failure, result: null }, ports)
    return
  }
  // Asked for before anything was started: nothing needs to be.
  if (wishes.cancel) return await settleAttempt(underway, { kind: 'cancelled' }, wishes, ports)

  const failure = await launchAgent(underway, place.worktree, interruptedBy, ports)
  if (failure?.code === 'launch_failed') {
    const end = { kind: 'never_started', why: failure.message } as const
    return await settleAttempt(underway, end, wishes, ports)
  }
  // Nothing was ever launched: there is nothing to collect, and no worktree to keep.
  if (failure !== null && attempt.fence === 1 && isOwn(claim)) {
    await recordEnd(underway, { kind: 'attempt_failed', failure, result: null }, ports)
    return
  }
  // An attempt before this one may have left work behind.
  if (failure !== null) {
    return await settleAttempt(underway, { kind: 'refused', failure }, wishes, ports)
  }
  await followToEnd(underway, wishes, ports)
}

/** What the store says of an attempt that is adopted. */
interface Adopted {
  /** Undefined: to be asked for. */
  readonly stored: StoredWorktree | undefined
  readonly tries: Tries
}

/** Takes up an attempt that a worker before this one started. */
export async function adoptAttempt(
  claim: Claimed,
  { stored, tries }: Adopted,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<void> {
  const found = stored ?? (await ports.store.findWorktree(claim.task.request.workplace.id))
  await followToEnd({ ...claim, worktree: found?.record ?? null }, wishes, ports, tries)
}

async function followToEnd(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
  tries?: Tries,
): Promise<void> {
  const end = await followAttempt(underway, wishes, ports, tries)
  if (end !== 'hands_off') await settleAttempt(underway, end, wishes, ports)
}
