import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How long a test waits for a condition on a machine that is busy with all other tests, and may stop
 * any process for seconds. Only a test that fails takes so long.
 */
const LIMIT_MS = 90_000
const MOST_MS = 500

/**
 * Waits until `look` gives something other than undefined, null or false, and returns it. Fails
 * with `what` in words when it does not come.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  limitMs = LIMIT_MS,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const begun = performance.now()
    const value = await look()
    if (value !== undefined && value !== null && value !== false) return value
    if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
    // A look may start a program: what is waited for needs the processors too.
    const took = performance.now() - begun
    await sleep(Math.min(Math.max(5, 2 * took), MOST_MS))
  }
}
