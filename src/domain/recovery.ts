/**
 * What to do with an attempt that somebody else started, decided from what can be seen: its run
 * directory and its processes. Pure, so that the worker's start-up, its periodic look, and a
 * command that finds no worker all judge alike.
 */
import type { AgentExit } from './outcome.ts'

/** Not knowing is a value: a process of another machine or PID namespace is `unknown`, not dead. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** What a run directory says of its attempt. */
export interface RunFacts {
  /** When `launch.json` was written; null: the launch never got that far. */
  readonly launchedAt: number | null
  /** The agent process, as it wrote itself down just before `exec`; null: not yet. */
  readonly agent: Liveness | null
  /** The wrapper, which outlives the agent by the moment that it takes to write `exit.json`. */
  readonly wrapper: Liveness | null
  /** How the agent ended, if the wrapper came to write it. */
  readonly exit: AgentExit | null
}

/**
 * `adopt` a live attempt, `collect` a finished one, `reap` a dead one, `relaunch` one that never
 * started, `wait` when unsure.
 */
export type RecoveryVerdict = 'adopt' | 'collect' | 'reap' | 'relaunch' | 'wait'

/** How long a launch may take until the agent's `exec`; a loaded machine needs tens of ms. */
export const LAUNCH_LIMIT_MS = 15_000

export function recoveryVerdict(run: RunFacts, now: number): RecoveryVerdict {
  if (run.exit !== null) return 'collect'
  if (run.launchedAt === null) return 'relaunch'
  if (run.agent === null) {
    if (run.wrapper === 'dead') return 'relaunch'
    // Neither has written itself down. Once the launch can no longer be under way, it never was.
    // (Nor is it if the clock was set back behind it; a relaunch ends first whatever lives.)
    const isOld = Math.abs(now - run.launchedAt) > LAUNCH_LIMIT_MS
    return isOld && run.wrapper !== 'unknown' ? 'relaunch' : 'wait'
  }
  if (run.agent === 'unknown') return 'wait'
  if (run.agent === 'alive') return 'adopt'
  // The agent is dead: its wrapper, if it lives, is about to say how.
  return run.wrapper === 'alive' ? 'adopt' : 'reap'
}
