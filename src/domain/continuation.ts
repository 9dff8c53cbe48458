/** What follows when an agent died without finishing its turn. A pure function. */
import { backoffDelay, countFailures, MAX_FAILURES_IN_ROW } from './backoff.ts'
import type { Failure } from './outcome.ts'
import type { Backoff, Task } from './task.ts'

export type Continuation =
  | { readonly kind: 'wait'; readonly wait: Backoff; readonly failuresInRow: number }
  | { readonly kind: 'give_up'; readonly failure: Failure }

/** How the agent can be continued, as its capabilities say. */
export type Continues = 'session' | 'rerun' | 'no'

/**
 * `livedMs`: from the attempt's start to its end. An agent that never started is tried again at
 * once; one that died before it named a session is given the original prompt once more.
 */
export function continueAfter(
  task: Task,
  failure: Failure,
  continues: Continues,
  livedMs: number,
  now: number,
  random: number,
): Continuation {
  const neverStarted = failure.code === 'launch_failed'
  if (continues === 'no' && !neverStarted) return { kind: 'give_up', failure }
  const failuresInRow = countFailures(task.failuresInRow, livedMs)
  const rerunTwice = continues === 'session' && task.session === null && task.attempts >= 2
  if (failuresInRow >= MAX_FAILURES_IN_ROW || (rerunTwice && !neverStarted)) {
    return {
      kind: 'give_up',
      failure: {
        code: 'max_failures',
        message: `${failure.message} (try ${task.attempts}, ${failuresInRow} failures in a row)`,
        hint: 'holdfast logs shows what the agent said',
      },
    }
  }
  const delay = neverStarted && failuresInRow === 1 ? 0 : backoffDelay(failuresInRow, random)
  return { kind: 'wait', wait: { reason: 'backoff', until: now + delay, failure }, failuresInRow }
}
