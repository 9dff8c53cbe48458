/** What follows when an agent died without finishing its turn. A pure function. */
import type { Activity } from './activity.ts'
import { backoffDelay, countFailures, MAX_FRUITLESS_MS } from './backoff.ts'
import type { Failure } from './outcome.ts'
import { countStalls, MOST_STALLS } from './stall.ts'
import type { Backoff, Task } from './task.ts'

export type Continuation =
  | { readonly kind: 'wait'; readonly wait: Backoff; readonly failuresInRow: number }
  | { readonly kind: 'give_up'; readonly failure: Failure }

/** It would most likely meet the same limit again, as often as it is tried. */
const MOST_OUT_OF_MEMORY = 3

/** How the agent can be continued, as its capabilities say. */
export type Continues = 'session' | 'rerun' | 'no'

/**
 * An agent that never started is tried again at once; one that died before it named a session is
 * given the original prompt once more. Launches of which nothing ever ran use that up as little as
 * they had side effects. `notBefore`: somebody asked for so much patience.
 */
export function continueAfter(
  task: Task,
  failure: Failure,
  continues: Continues,
  activity: Activity,
  now: number,
  random: number,
  notBefore = now,
): Continuation {
  const neverStarted = failure.code === 'launch_failed'
  if (continues === 'no' && !neverStarted) return { kind: 'give_up', failure }
  const isStall = failure.code === 'stalled'
  const count = isStall ? countStalls : countFailures
  const failuresInRow = count(task.failuresInRow, activity)
  if (isStall && failuresInRow >= MOST_STALLS) return { kind: 'give_up', failure }
  const isOutOfMemory = failure.code === 'out_of_memory'
  if (isOutOfMemory && failuresInRow >= MOST_OUT_OF_MEMORY) return { kind: 'give_up', failure }
  const rerunTwice = continues === 'session' && task.session === null && task.runs >= 2
  const why =
    failuresInRow >= task.request.maxFailures || (rerunTwice && !neverStarted)
      ? `${failuresInRow} failures in a row`
      : activity.fruitlessMs >= MAX_FRUITLESS_MS
        ? `nothing came of ${Math.floor(activity.fruitlessMs / 3_600_000)} hours of work`
        : null
  if (why !== null) {
    return {
      kind: 'give_up',
      failure: {
        code: 'max_failures',
        message: `${failure.message} (try ${task.attempts}, ${why})`,
        hint: 'holdfast logs shows what the agent said',
      },
    }
  }
  const delay = neverStarted && failuresInRow === 1 ? 0 : backoffDelay(failuresInRow, random)
  const until = Math.max(now + delay, notBefore)
  return { kind: 'wait', wait: { reason: 'backoff', until, failure }, failuresInRow }
}
