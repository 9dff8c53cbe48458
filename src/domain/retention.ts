/** Which worktrees go by themselves, and why each other one stays. Pure. */
import type { WorktreeId } from './ids.ts'
import type { WorktreeKind } from './task.ts'

/** A worktree, as far as it matters here. */
export interface Candidate {
  readonly id: WorktreeId
  readonly kind: WorktreeKind
  readonly pinned: boolean
  /** Whoever was taking it away died in the middle. */
  readonly retiring: boolean
  /** A task uses it, or will. */
  readonly isInUse: boolean
  /** When its last task ended, or it was made or brought back; milliseconds since 1970. */
  readonly idleSince: number
  /** Its changes are nowhere but here. */
  readonly isUntaken: boolean
  /** What it takes on the disk; null: that was not measured yet. */
  readonly bytes: number | null
}

export interface RetentionPolicy {
  /** So many managed worktrees stay: the newest. */
  readonly keep: number
  /** Older ones go also if they are among the newest; null: age does not matter. */
  readonly maxIdleMs: number | null
}

export const DEFAULT_RETENTION: RetentionPolicy = { keep: 15, maxIdleMs: null }

export interface Decision {
  readonly id: WorktreeId
  readonly goes: boolean
  /** In words. */
  readonly why: string
}

/**
 * In the order in which they go: the oldest first. `over`: so many bytes are to be free when they
 * have gone; for that also those go that are among the newest, the oldest first, until it is enough.
 */
export function decideRetention(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  now: number,
  over = 0,
): readonly Decision[] {
  const byAge = [...candidates].sort((a, b) => a.idleSince - b.idleSince)
  const managed = byAge.filter(({ kind }) => kind === 'managed')
  const newest = new Set(managed.slice(Math.max(0, managed.length - policy.keep)))
  let left = over
  const decided = byAge.map(candidate => {
    const decision = decide(candidate, newest.has(candidate), policy, now)
    if (decision.goes) left -= candidate.bytes ?? 0
    return { candidate, ...decision }
  })
  return decided.map(({ candidate, goes, why, isSpare }) => {
    const { id, bytes } = candidate
    if (goes || !isSpare || left <= 0 || bytes === null) return { id, goes, why }
    left -= bytes
    return { id, goes: true, why: 'the disk budget is exceeded' }
  })
}

/** `isSpare`: it stays, and would not if the disk was needed. */
function decide(
  candidate: Candidate,
  isNewest: boolean,
  { keep, maxIdleMs }: RetentionPolicy,
  now: number,
): Omit<Decision, 'id'> & { readonly isSpare: boolean } {
  const { kind, pinned, retiring, isInUse, isUntaken, idleSince } = candidate
  const stays = (why: string) => ({ goes: false, why, isSpare: false })
  const goes = (why: string) => ({ goes: true, why, isSpare: false })
  if (kind === 'borrowed') return stays('it is your own checkout')
  if (isInUse) return stays('a task uses it')
  if (retiring) return goes('it was being put away')
  if (kind === 'permanent') return stays('it is permanent')
  if (pinned) return stays('it is pinned')
  const isOld = maxIdleMs !== null && now - idleSince > maxIdleMs
  if (isNewest && !isOld) {
    return { goes: false, why: `it is one of the newest ${keep}`, isSpare: !isUntaken }
  }
  if (isUntaken) return stays('its changes were not taken yet')
  return goes(isOld ? 'it was not used for long' : `${keep} newer ones stay`)
}
