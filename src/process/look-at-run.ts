/** What a run directory and its processes say of an attempt, at the price of one look at a process. */
import type { Liveness, RunFacts } from '../domain/recovery.ts'
import type { LocalIdentity, ProcessTable } from '../ports/process-table.ts'
import { judgePlace } from './identity.ts'
import { isDeclaredGone, loadAgent, loadExit, loadIdentity, loadLaunch } from './run-directory.ts'

/** What never changes once it has been read. */
interface Known {
  readonly launchedAt: number
  /** Of what is out of sight it may be said later that it is gone. */
  judged: 'here' | 'dead' | 'unknown'
  agent?: LocalIdentity
  wrapper?: LocalIdentity
}

/** The attempts under way on one machine are some hundreds; those that have ended are forgotten. */
const MOST_KNOWN = 2_000

/**
 * Makes `ProcessHost.lookAtRun`. It remembers who the processes of each attempt are until it sees
 * the attempt's end; all else is looked at anew. While the agent lives, nobody asks for the
 * wrapper: it is `unknown` then.
 */
export function makeRunLook(processes: ProcessTable): (runDirectory: string) => RunFacts {
  const known = new Map<string, Known>()
  return runDirectory => {
    const run = known.get(runDirectory) ?? loadKnown(runDirectory, processes)
    if (run === undefined) return lookUnrecorded(runDirectory)
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(runDirectory, run)
    if (run.judged === 'unknown' && isDeclaredGone(runDirectory)) run.judged = 'dead'

    const { launchedAt } = run
    const agent = lookAt(run, 'agent', runDirectory, processes)
    if (agent === 'alive') return { launchedAt, agent, wrapper: 'unknown', exit: null }
    // In this order: once the wrapper has been seen dead, `exit.json` is there or never will be.
    const wrapper = lookAt(run, 'wrapper', runDirectory, processes)
    const exit = lookAtExit(runDirectory, isOver(agent) && isOver(wrapper))
    if (exit !== null) known.delete(runDirectory)
    return { launchedAt, agent, wrapper, exit }
  }
}

function loadKnown(runDirectory: string, processes: ProcessTable): Known | undefined {
  const launched = loadLaunch(runDirectory)
  if (launched.kind !== 'loaded') return undefined
  const { record } = launched
  return { launchedAt: record.launchedAt, judged: judgePlace(record, processes.place()) }
}

/** Without a record that we understand, nothing can be told of the processes. */
function lookUnrecorded(runDirectory: string): RunFacts {
  const launched = loadLaunch(runDirectory)
  const exit = lookAtExit(runDirectory, false)
  return launched.kind === 'unreadable'
    ? { launchedAt: launched.modifiedAt, agent: 'unknown', wrapper: 'unknown', exit }
    : { launchedAt: null, agent: null, wrapper: null, exit }
}

/** Null: it has not written itself down. */
function lookAt(
  run: Known,
  who: 'agent' | 'wrapper',
  runDirectory: string,
  processes: ProcessTable,
): Liveness | null {
  const load = () =>
    who === 'agent' ? loadAgent(runDirectory) : loadIdentity(runDirectory, 'wrapper')
  const identity = run[who] ?? load()
  // A wrapper of another place is out of sight, whether it wrote itself down or not.
  if (run.judged !== 'here' && (identity !== undefined || who === 'wrapper')) return run.judged
  if (identity === undefined) return null
  run[who] = identity
  return processes.liveness(identity)
}

/** Null where there is none, or where whoever lives may still write it. */
function lookAtExit(runDirectory: string, over: boolean): RunFacts['exit'] {
  const ending = loadExit(runDirectory)
  if (ending.kind === 'ended') return ending.exit
  return ending.kind === 'torn' && over ? { kind: 'unknown' } : null
}

function isOver(liveness: Liveness | null): boolean {
  return liveness === 'dead' || liveness === null
}
