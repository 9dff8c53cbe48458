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

/** In the order in which they go: the oldest first. */
export function decideRetention(
  candidates: readonly Candidate[],
  { keep, maxIdleMs }: RetentionPolicy,
  now: number,
): readonly Decision[] {
  const managed = candidates.filter(({ kind }) => kind === 'managed')
  const newest = [...managed].sort((a, b) => b.idleSince - a.idleSince).slice(0, keep)
  const decide = (candidate: Candidate): Omit<Decision, 'id'> => {
    const { kind, pinned, retiring, isInUse, isUntaken, idleSince } = candidate
    const stays = (why: string) => ({ goes: false, why })
    if (kind === 'borrowed') return stays('it is your own checkout')
    if (isInUse) return stays('a task uses it')
    if (retiring) return { goes: true, why: 'it was being put away' }
    if (kind === 'permanent') return stays('it is permanent')
    if (pinned) return stays('it is pinned')
    const isOld = maxIdleMs !== null && now - idleSince > maxIdleMs
    if (newest.includes(candidate) && !isOld) return stays(`it is one of the newest ${keep}`)
    if (isUntaken) return stays('its changes were not taken yet')
    return { goes: true, why: isOld ? 'it was not used for long' : `${keep} newer ones stay` }
  }
  return [...candidates]
    .sort((a, b) => a.idleSince - b.idleSince)
    .map(candidate => ({ id: candidate.id, ...decide(candidate) }))
}
