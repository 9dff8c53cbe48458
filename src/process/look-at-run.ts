/** What a run directory and its processes say of an attempt, at the price of one look at a process. */
import type { Liveness, RunFacts } from '../domain/recovery.ts'
import type { LocalIdentity, ProcessTable, WatchedProcess } from '../ports/process-table.ts'
import { judgePlace } from './identity.ts'
import { isDeclaredGone, loadAgent, loadExit, loadIdentity, loadLaunch } from './run-directory.ts'

/** What never changes once it has been read. */
interface Known {
  readonly launchedAt: number
  /** Of what is out of sight it may be said later that it is gone. */
  judged: 'here' | 'dead' | 'unknown'
  agent?: WatchedProcess
  wrapper?: LocalIdentity
}

/** The attempts under way on one machine are some hundreds; those that have ended are forgotten. */
const MOST_KNOWN = 1_000

export interface RunLook {
  /** As `ProcessHost.lookAtRun`. */
  readonly look: (runDirectory: string) => RunFacts
  /** Nothing of it lives any more: it need not be looked at again. */
  forget(runDirectory: string): void
}

/**
 * It remembers who the processes of each attempt are until it sees the attempt's end; all else is
 * looked at anew. While the agent lives, nobody asks for the wrapper: it is `unknown` then.
 */
export function makeRunLook(processes: ProcessTable): RunLook {
  const known = new Map<string, Known>()
  const forget = (runDirectory: string) => {
    known.get(runDirectory)?.agent?.close()
    known.delete(runDirectory)
  }
  const look = (runDirectory: string): RunFacts => {
    let run = known.get(runDirectory)
    if (run === undefined) {
      run = loadKnown(runDirectory, processes)
      if (run === undefined) return lookUnrecorded(runDirectory)
      if (known.size >= MOST_KNOWN) for (const other of [...known.keys()]) forget(other)
      known.set(runDirectory, run)
    }
    if (run.judged === 'unknown' && isDeclaredGone(runDirectory)) run.judged = 'dead'

    const { launchedAt } = run
    const agent = lookAtAgent(run, runDirectory, processes)
    if (agent === 'alive') return { launchedAt, agent, wrapper: 'unknown', exit: null }
    // In this order: once the wrapper has been seen dead, `exit.json` is there or never will be.
    const wrapper = lookAtWrapper(run, runDirectory, processes)
    const exit = lookAtExit(runDirectory, isOver(agent) && isOver(wrapper))
    if (exit !== null) forget(runDirectory)
    return { launchedAt, agent, wrapper, exit }
  }
  return { look, forget }
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
function lookAtAgent(run: Known, runDirectory: string, processes: ProcessTable): Liveness | null {
  if (run.agent !== undefined) return run.agent.liveness()
  const identity = loadAgent(runDirectory)
  if (identity === undefined) return null
  if (run.judged !== 'here') return run.judged
  run.agent = processes.watch(identity)
  return run.agent.liveness()
}

/** One of another place is out of sight, whether it wrote itself down or not. */
function lookAtWrapper(run: Known, runDirectory: string, processes: ProcessTable): Liveness | null {
  if (run.judged !== 'here') return run.judged
  const wrapper = run.wrapper ?? loadIdentity(runDirectory, 'wrapper')
  if (wrapper === undefined) return null
  run.wrapper = wrapper
  return processes.liveness(wrapper)
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
