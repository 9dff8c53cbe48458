import { readFileSync } from 'node:fs'

/** What a worker has open with nothing to do, and a little more. */
const KEPT = 40
/** What an attempt opens for a moment, the pipes of a git; and its process, which is watched. */
const PER_ATTEMPT = 5

/**
 * How many attempts at once the limit of open files allows. (Node has raised it to what the system
 * allows this process at most.) Infinity: there is none, or no saying.
 */
export function attemptsWithinLimit(): number {
  let limits: string
  try {
    limits = readFileSync('/proc/self/limits', 'latin1')
  } catch {
    // Another system than Linux: its own limits are in the thousands.
    return Number.POSITIVE_INFINITY
  }
  const limit = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  return Math.max(1, Math.floor((limit - KEPT) / PER_ATTEMPT))
}
