/**
 * How much of the disk may be taken by worktrees, the pool, the trash and task directories; what goes
 * first where that is exceeded; and when somebody has to be told. Pure.
 */

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

const WARNED_SHARE = 0.8

/** Unless it is set: so much, or this part of the disk if that is less. */
const DEFAULT_BYTES = 20_000_000_000
const DEFAULT_SHARE = 0.1

/** Bytes by what they are of. */
export interface DiskUse {
  readonly worktrees: number
  readonly pool: number
  readonly trash: number
  /** What lies beside the snapshots of worktrees that were put away. */
  readonly snapshots: number
  /** Task directories: requests, results, run directories, but not the raw output in them. */
  readonly tasks: number
  readonly rawOutput: number
  /** False: something was not measured yet, so it is at least so much. */
  readonly isWhole: boolean
}

export interface Measured {
  readonly bytes: number
  /** When; milliseconds since 1970. */
  readonly at: number
}

/** `configured`: null: nothing is set. */
export function diskBudget(configured: number | null, totalBytes: number): number {
  return configured ?? Math.floor(Math.min(DEFAULT_BYTES, totalBytes * DEFAULT_SHARE))
}

export function totalOf(use: DiskUse): number {
  const { worktrees, pool, trash, snapshots, tasks, rawOutput } = use
  return worktrees + pool + trash + snapshots + tasks + rawOutput
}

/**
 * Whether what was measured still holds. What is at work, or was since, is measured each hour; what
 * stands still, each day: somebody may have gone on in it by hand.
 */
export function isFresh({ at }: Measured, changedAt: number, now: number): boolean {
  if (at > now) return false
  return now - at < (at >= changedAt ? DAY_MS : HOUR_MS)
}

/**
 * Whether worktrees may be made in advance, and stay: not where four fifths of the budget are taken
 * by others, nor where it is exceeded.
 */
export function hasRoomForPool(use: DiskUse, budgetBytes: number): boolean {
  return totalOf(use) <= budgetBytes && totalOf(use) - use.pool < budgetBytes * WARNED_SHARE
}

/** Compressed, raw output comes to about this part. */
const PACKED_SHARE = 0.2

/** What can be had again, or is kept in less: it goes before any worktree does. */
export interface Reclaimable {
  readonly kind: 'build_output' | 'raw_output'
  readonly bytes: number
}

/** About how many bytes are free when that is gone. */
export function gainOf({ kind, bytes }: Reclaimable): number {
  return kind === 'build_output' ? bytes : Math.floor(bytes * (1 - PACKED_SHARE))
}

/**
 * Chooses, of what stands in the order in which it is to go, as much as it takes to free `over`
 * bytes; and what is still over then.
 */
export function chooseReclaim<T extends Reclaimable>(
  all: readonly T[],
  over: number,
): { readonly chosen: readonly T[]; readonly over: number } {
  const chosen: T[] = []
  let left = over
  for (const one of all) {
    if (left <= 0) break
    chosen.push(one)
    left -= gainOf(one)
  }
  return { chosen, over: left }
}

/** A disk is nearly full at the lesser of these: large ones are not for a twentieth of them. */
const FULL_BYTES = 1_000_000_000
const FULL_SHARE = 0.05

/** In words; null: all is well. `usedBytes`, `budgetBytes`: null: it was never measured. */
export function diskWarning(
  usedBytes: number | null,
  budgetBytes: number | null,
  { freeBytes, totalBytes }: { readonly freeBytes: number; readonly totalBytes: number },
): string | null {
  if (freeBytes < Math.min(FULL_BYTES, totalBytes * FULL_SHARE)) {
    return `the disk is nearly full: ${shownBytes(freeBytes)} are free`
  }
  if (usedBytes === null || budgetBytes === null) return null
  if (usedBytes < budgetBytes * WARNED_SHARE) return null
  return `${shownBytes(usedBytes)} of ${shownBytes(budgetBytes)} are used`
}

/** `1.2 GB`, in powers of a thousand, as disks are sold and `df -H` counts. */
export function shownBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [value, unit] = [bytes, 0]
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
