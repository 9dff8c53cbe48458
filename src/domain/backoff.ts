/** When a dead agent's session is continued, and when no more. Pure functions of their arguments. */
import type { Activity } from './activity.ts'

const FIRST_MS = 2_000
const LONGEST_MS = 12 * 60_000

/** Recovering stops after this many crashes in a row. */
export const MAX_FAILURES_IN_ROW = 8
/** An attempt that was at work this long was healthy: the count of crashes starts anew. */
export const HEALTHY_MS = 5 * 60_000
/** Recovering stops after so much work of which nothing came, over however many attempts. */
export const MAX_FRUITLESS_MS = 5 * 3_600_000

/**
 * How long to wait before the next attempt, after the nth crash in a row: 2 s, doubling to 12 min.
 * The first is exact; later ones are spread by ±20 % so that many tasks do not return as one.
 * `random` is in [0, 1).
 */
export function backoffDelay(failuresInRow: number, random: number): number {
  const plain = Math.min(FIRST_MS * 2 ** Math.max(0, failuresInRow - 1), LONGEST_MS)
  return failuresInRow <= 1 ? plain : Math.round(plain * (0.8 + 0.4 * random))
}

/** The crashes in a row, counting one more that ended an attempt of this activity. */
export function countFailures(before: number, { activeMs }: Activity): number {
  return activeMs >= HEALTHY_MS ? 1 : before + 1
}

/** A clock is set right by seconds all the time; more is somebody's doing. */
export const CLOCK_SLACK_MS = 60_000

/**
 * Whether a wait that began at `since` is over. On a clock that was set back behind its beginning
 * nobody can tell how long it has lasted: then it is over, because a wait cut short costs one more
 * try, and one that lasts until the clock has caught up may cost a day. (A clock that was set back
 * by less makes a wait last twice as long at most.)
 */
export function waitIsOver(wait: { readonly until: number }, since: number, now: number): boolean {
  return now >= wait.until || now < since - CLOCK_SLACK_MS
}
