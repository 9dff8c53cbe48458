/** The processes of this machine, behind the port. Holds nothing that is not on disk. */
import { realpathSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { MARK_VARIABLE } from '../domain/environment.ts'
import { LAUNCH_LIMIT_MS } from '../domain/recovery.ts'
import type {
  AttemptProcesses,
  MarkedProcess,
  ProcessHost,
  StopReport,
} from '../ports/process-host.ts'
import {
  type LocalIdentity,
  type ProcessEntry,
  ProcessesUnseen,
  type ProcessTable,
  type SeenProcess,
} from '../ports/process-table.ts'
import { runAtTerminal } from './at-terminal.ts'
import { startDetached } from './detached.ts'
import { readBrief, readSaid, say } from './dialogue.ts'
import { judgePlace, livenessOf } from './identity.ts'
import { isGone } from './is-gone.ts'
import { launch } from './launch.ts'
import { makeRunLook } from './look-at-run.ts'
import { selectMembers } from './members.ts'
import { countMemoryKills } from './memory-kills.ts'
import { loadEnd, takeOffer } from './offer.ts'
import { makeOutputReaders, watchOutput } from './output.ts'
import {
  declareGone,
  dropUnfinished,
  isDeclaredGone,
  loadAgent,
  loadExit,
  loadIdentity,
  loadLaunch,
  markPrefix,
  parseMark,
  syncPath,
  voidRun,
} from './run-directory.ts'
import { CONTROL_GROUPS, type ControlGroups, noScopes, type Scopes } from './scopes.ts'
import { lookAtSetUp } from './set-up.ts'
import { FORCEFUL_LIMIT_MS, type Member, type MemberSource, stopMembers } from './stop.ts'

export interface HostOptions {
  /** Where `setsid` and what the wrapper uses are found, in the form of PATH. */
  readonly toolPath?: string
  readonly launchLimitMs?: number
  /** How long one call of `stop` tries it forcefully. */
  readonly stopLimitMs?: number
  /** What gives an attempt a control group of its own; none where it is not given. */
  readonly scopes?: Scopes
  readonly groups?: ControlGroups
}

export function makeProcessHost(processes: ProcessTable, options: HostOptions = {}): ProcessHost {
  const toolPath = options.toolPath ?? `${process.env.PATH ?? ''}:/usr/local/bin:/usr/bin:/bin`
  const tools = {
    processes,
    shell: '/bin/sh',
    toolPath,
    limitMs: options.launchLimitMs ?? LAUNCH_LIMIT_MS,
    scopes: options.scopes ?? noScopes,
    groups: options.groups ?? CONTROL_GROUPS,
  }
  const runs = makeRunLook(processes)
  const stopThere: ProcessHost['stop'] = async (attempt, order) => {
    switch (judgeAttempt(attempt, processes)) {
      case 'here':
        if (loadIdentity(attempt.runDirectory, 'pid') === undefined) voidRun(attempt.runDirectory)
        return await stopMembers(
          openSource(attempt, processes),
          order,
          options.stopLimitMs ?? FORCEFUL_LIMIT_MS,
        ).catch(notEnded)
      case 'dead':
        return { ended: true, processes: [] }
      case 'unknown':
        return { ended: false, processes: [] }
    }
  }
  const stop: ProcessHost['stop'] = async (attempt, order) => {
    const report = await stopThere(attempt, order)
    if (report.ended) {
      dropUnfinished(attempt.runDirectory)
      runs.forget(attempt.runDirectory)
    }
    return report
  }
  return {
    launch: plan =>
      launch(plan, tools, () => stop({ ...plan, worktree: null }, { graceful: null, graceMs: 0 })),
    takeOffer: runDirectory => takeOffer(runDirectory, processes),
    runAtTerminal,
    lookAtOpener(runDirectory) {
      const opener = loadIdentity(runDirectory, 'opener')
      if (opener === undefined) return null
      const noted = loadEnd(runDirectory)
      if (noted !== null) return noted
      const launched = loadLaunch(runDirectory)
      if (launched.kind !== 'loaded') return 'unknown'
      return livenessOf({ ...launched.record, ...opener }, processes)
    },
    lookAtRun: runs.look,
    lookAtSetUp,
    countMemoryKills,
    keepStart: runDirectory => syncPath(join(runDirectory, 'pid')),
    ...makeOutputReaders(),
    watchOutput,
    readBrief,
    say,
    readSaid,
    findProcesses(attempt) {
      if (judgeAttempt(attempt, processes) !== 'here') return []
      const found = openSource(attempt, processes).find([], () => undefined)
      return found.map(({ pid, command, because }) => ({ pid, command, because }))
    },
    measure(attempt) {
      if (judgeAttempt(attempt, processes) !== 'here') return null
      const members = openSource(attempt, processes).find([], () => undefined)
      const used = members.flatMap(member => processes.exertionOf(member) ?? [])
      return {
        cpuMs: used.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
        ioBytes: used.reduce((sum, { ioBytes }) => sum + ioBytes, 0),
        processes: used.length,
      }
    },
    findMarked() {
      const marked: { bearer: ProcessEntry; mark: string }[] = []
      processes.forBearers(MARK_VARIABLE, (bearer, mark) => marked.push({ bearer, mark }))
      const commands = processes.commandsOf(marked.map(({ bearer }) => bearer))
      return marked.flatMap(({ bearer: { pid, name }, mark }): MarkedProcess[] => {
        const attempt = parseMark(mark)
        if (attempt === undefined) return []
        return [{ pid, command: commands.get(pid) ?? `[${name}]`, mark, ...attempt }]
      })
    },
    isMarkOf(mark, runDirectory) {
      const launched = loadLaunch(runDirectory)
      return launched.kind === 'loaded' && launched.record.mark === mark
    },
    stop,
    async startDetached(argv, environment, logFile) {
      for (const path of [argv[0], logFile]) {
        if (!isAbsolute(path)) throw new Error(`not an absolute path: ${path}`)
      }
      const ownSession = processes.ownSession(toolPath)
      await startDetached({ argv, ownSession, environment, logFile })
    },
    declareGone(attempt) {
      if (judgeAttempt(attempt, processes) !== 'unknown') return false
      declareGone(attempt.runDirectory)
      return true
    },
    liveness: identity => livenessOf(identity, processes),
    self: processes.self,
  }
}

/** Whoever cannot be seen is not known to have ended: the next look may tell. */
function notEnded(error: unknown): StopReport {
  if (!(error instanceof ProcessesUnseen)) throw error
  return { ended: false, processes: [] }
}

/** Whether the attempt's processes are of a kind that can be looked for from here. */
function judgeAttempt(
  attempt: AttemptProcesses,
  processes: ProcessTable,
): 'here' | 'dead' | 'unknown' {
  const launched = loadLaunch(attempt.runDirectory)
  if (launched.kind !== 'loaded') return 'here'
  if (launched.record.task !== attempt.task || launched.record.fence !== attempt.fence) {
    throw new Error(`${attempt.runDirectory} belongs to another attempt`)
  }
  const judged = judgePlace(launched.record, processes.place())
  return judged === 'unknown' && isDeclaredGone(attempt.runDirectory) ? 'dead' : judged
}

function openSource(attempt: AttemptProcesses, processes: ProcessTable): MemberSource {
  const { runDirectory } = attempt
  const launched = loadLaunch(runDirectory)
  const agent = loadAgent(runDirectory) ?? loadIdentity(runDirectory, 'holder')
  const wrapper = loadIdentity(runDirectory, 'wrapper')
  const prefix = markPrefix(attempt.task, attempt.fence)
  const ownsMark = (mark: string) =>
    launched.kind === 'loaded' ? mark === launched.record.mark : mark.startsWith(prefix)
  const ownsSessions = launched.kind !== 'loaded' || launched.record.terminal === undefined
  // Without a wrapper no agent ran, so nobody stands in the worktree because of it.
  const worktree = wrapper === undefined ? [] : namesOf(attempt.worktree)
  // All processes of the attempt descend from its wrapper, so none is older. (Start times are
  // compared with each other, never with a clock, which may be set.)
  const since = wrapper?.startTime ?? 0
  const chase = processes.makeChase(MARK_VARIABLE, since)
  /** Whoever need not be ended: a wrapper that has said its last word, in its last microseconds. */
  const isDone = () => {
    const ending = loadExit(runDirectory).kind
    const done = ending === 'ended' || ending === 'not_started'
    return (one: LocalIdentity) => done && isSame(one, wrapper)
  }
  const generations = launched.kind === 'loaded' ? (launched.record.enclosure?.generations ?? 0) : 0
  return {
    agent,
    wrapper,
    findListener() {
      if (agent === undefined || generations === 0) return agent
      const seen = processes.scan(MARK_VARIABLE, since, () => undefined)
      return findDescendant(agent, generations, seen)
    },
    find(known, onSight) {
      const done = isDone()
      const seen = processes.scan(MARK_VARIABLE, since, (bearer, mark) => {
        if (ownsMark(mark) && !done(bearer)) onSight(bearer)
      })
      const recorded = [agent, wrapper, ...known]
      const knows = (process: SeenProcess) => recorded.some(one => isSame(process, one))
      const members = selectMembers(seen, { ownsMark, knows, worktree, ownsSessions })
      const found = seen.filter(process => members.has(process.pid) && !done(process))
      const commands = processes.commandsOf(found)
      return found.flatMap(({ pid, startTime, name }): Member[] => {
        const because = members.get(pid)
        if (because === undefined) return []
        return [{ pid, startTime, because, command: commands.get(pid) ?? `[${name}]` }]
      })
    },
    chase: {
      quietLooks: chase.quietLooks,
      look(onSight) {
        const done = isDone()
        chase.look((bearer, mark) => {
          if (ownsMark(mark) && !done(bearer)) onSight(bearer)
        })
      },
    },
    liveness: processes.liveness,
  }
}

/**
 * The first child of the first child, and so on: whatever else has become a child there came later.
 * Undefined: there is none (yet, or any more).
 */
function findDescendant(
  ancestor: LocalIdentity,
  generations: number,
  seen: readonly SeenProcess[],
): LocalIdentity | undefined {
  if (generations === 0) return ancestor
  const [first] = seen
    .filter(({ parent }) => parent === ancestor.pid)
    .sort((a, b) => a.startTime - b.startTime || a.pid - b.pid)
  return first && findDescendant(first, generations - 1, seen)
}

function isSame(a: LocalIdentity, b: LocalIdentity | undefined): boolean {
  return b !== undefined && a.pid === b.pid && a.startTime === b.startTime
}

/** A directory as it was given and as the kernel names it. */
function namesOf(directory: string | null): readonly string[] {
  if (directory === null) return []
  try {
    return [...new Set([directory, realpathSync(directory)])]
  } catch (error) {
    if (!isGone(error)) throw error
    return [directory]
  }
}
