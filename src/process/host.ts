/** The processes of this machine, behind the port. Holds nothing that is not on disk. */
import { realpathSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { LAUNCH_LIMIT_MS } from '../domain/recovery.ts'
import type { AttemptProcesses, ProcessHost } from '../ports/process-host.ts'
import { startDetached } from './detached.ts'
import {
  isGone,
  judgePlace,
  type LocalIdentity,
  livenessOf,
  requireLinux,
  selfIdentity,
} from './identity.ts'
import { launch } from './launch.ts'
import { makeRunLook } from './look-at-run.ts'
import { type SeenProcess, selectMembers } from './members.ts'
import { makeOutputReaders } from './output.ts'
import { loadExit, loadIdentity, loadLaunch, markPrefix } from './run-directory.ts'
import { makeChase, readCommand, scanProcesses } from './scan.ts'
import { type Member, type MemberSource, stopMembers } from './stop.ts'

export interface HostOptions {
  /** Where `setsid`, `sync` and `mv` are found, in the form of PATH. */
  readonly toolPath?: string
  readonly launchLimitMs?: number
}

/** Refuses with `unsupported_platform` on a system whose processes it cannot read. */
export function makeProcessHost(options: HostOptions = {}): ProcessHost {
  requireLinux(process.platform)
  const toolPath = options.toolPath ?? `${process.env.PATH ?? ''}:/usr/local/bin:/usr/bin:/bin`
  const tools = {
    shell: '/bin/sh',
    toolPath,
    limitMs: options.launchLimitMs ?? LAUNCH_LIMIT_MS,
  }
  const stop: ProcessHost['stop'] = async (attempt, order) => {
    switch (judgeAttempt(attempt)) {
      case 'here':
        return stopMembers(openSource(attempt), order)
      case 'dead':
        return { ended: true, processes: [] }
      case 'unknown':
        return { ended: false, processes: [] }
    }
  }
  return {
    launch: plan =>
      launch(plan, tools, () => stop({ ...plan, worktree: null }, { graceful: null, graceMs: 0 })),
    lookAtRun: makeRunLook(),
    ...makeOutputReaders(),
    findProcesses(attempt) {
      if (judgeAttempt(attempt) !== 'here') return []
      const found = openSource(attempt).find([], () => undefined)
      return found.map(({ pid, command, because }) => ({ pid, command, because }))
    },
    stop,
    async startDetached(argv, environment, logFile) {
      for (const path of [argv[0], logFile]) {
        if (!isAbsolute(path)) throw new Error(`not an absolute path: ${path}`)
      }
      await startDetached({ argv, environment, logFile }, toolPath)
    },
    liveness: livenessOf,
    self: selfIdentity,
  }
}

/** Whether the attempt's processes are of a kind that can be looked for from here. */
function judgeAttempt(attempt: AttemptProcesses): 'here' | 'dead' | 'unknown' {
  const launched = loadLaunch(attempt.runDirectory)
  if (launched.kind !== 'loaded') return 'here'
  if (launched.record.task !== attempt.task || launched.record.fence !== attempt.fence) {
    throw new Error(`${attempt.runDirectory} belongs to another attempt`)
  }
  return judgePlace(launched.record)
}

function openSource(attempt: AttemptProcesses): MemberSource {
  const { runDirectory } = attempt
  const launched = loadLaunch(runDirectory)
  const agent = loadIdentity(runDirectory, 'pid')
  const wrapper = loadIdentity(runDirectory, 'wrapper')
  const prefix = markPrefix(attempt.task, attempt.fence)
  const ownsMark = (mark: string) =>
    launched.kind === 'loaded' ? mark === launched.record.mark : mark.startsWith(prefix)
  // Without a wrapper no agent ran, so nobody stands in the worktree because of it.
  const worktree = wrapper === undefined ? [] : namesOf(attempt.worktree)
  // All processes of the attempt descend from its wrapper, so none is older. (Start times are
  // compared with each other, never with a clock, which may be set.)
  const since = wrapper?.startTime ?? 0
  const chase = makeChase(since)
  /** Whoever need not be ended: a wrapper that has said its last word, in its last microseconds. */
  const isDone = () => {
    const ending = loadExit(runDirectory).kind
    const done = ending === 'ended' || ending === 'not_started'
    return (one: LocalIdentity) => done && isSame(one, wrapper)
  }
  return {
    agent,
    wrapper,
    find(known, onSight) {
      const done = isDone()
      const seen = scanProcesses(since, (bearer, mark) => {
        if (ownsMark(mark) && !done(bearer)) onSight(bearer)
      })
      const recorded = [agent, wrapper, ...known]
      const knows = (process: SeenProcess) => recorded.some(one => isSame(process, one))
      const members = selectMembers(seen, { ownsMark, knows, worktree })
      return seen.flatMap((process): Member[] => {
        const because = members.get(process.pid)
        if (because === undefined || done(process)) return []
        const { pid, startTime } = process
        return [{ pid, startTime, because, command: readCommand(process) }]
      })
    },
    chase(onSight) {
      const done = isDone()
      chase((bearer, mark) => {
        if (ownsMark(mark) && !done(bearer)) onSight(bearer)
      })
    },
  }
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
