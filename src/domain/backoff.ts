/** When a dead agent's session is continued, and when no more. Pure functions of their arguments. */
const FIRST_MS = 2_000
const LONGEST_MS = 12 * 60_000

/** Recovering stops after this many crashes in a row. */
export const MAX_FAILURES_IN_ROW = 8
/** An attempt that lived this long was healthy: the count of crashes starts anew. */
export const HEALTHY_MS = 5 * 60_000

/**
 * How long to wait before the next attempt, after the nth crash in a row: 2 s, doubling to 12 min.
 * The first is exact; later ones are spread by ±20 % so that many tasks do not return as one.
 * `random` is in [0, 1).
 */
export function backoffDelay(failuresInRow: number, random: number): number {
  const plain = Math.min(FIRST_MS * 2 ** Math.max(0, failuresInRow - 1), LONGEST_MS)
  return failuresInRow <= 1 ? plain : Math.round(plain * (0.8 + 0.4 * random))
}

/** The crashes in a row, counting one more that came `livedMs` after its attempt's start. */
export function countFailures(before: number, livedMs: number): number {
  return livedMs >= HEALTHY_MS ? 1 : before + 1
}
