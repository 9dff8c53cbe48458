/** Attempts for tests of real processes: each test gets its own, and fails if one of them is left. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { asFence, makeTaskId } from '../../src/domain/ids.ts'
import type { AgentExit } from '../../src/domain/outcome.ts'
import type { AttemptProcesses, LaunchPlan, ProcessHost } from '../../src/ports/process-host.ts'
import type { LocalIdentity } from '../../src/ports/process-table.ts'
import { makeProcessHost } from '../../src/process/host.ts'
import { readStat } from '../../src/process/linux/stat.ts'
import { loadProcessTable } from '../../src/process/process-table.ts'
import { loadIdentity } from '../../src/process/run-directory.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'

export const FIXTURES = join(import.meta.dirname, '../fixtures')
export const fixture = (name: string) => join(FIXTURES, name)

export interface TestAttempt extends LaunchPlan, AttemptProcesses {
  /** A directory of this test alone, which is also where the agent starts. */
  readonly worktree: string
}

export interface Attempts {
  readonly host: ProcessHost
  /** An attempt to be launched; the program is a fixture if its name is no path. */
  plan(argv: readonly [string, ...string[]], changes?: Partial<LaunchPlan>): TestAttempt
  /** The same, launched. */
  launch(argv: readonly [string, ...string[]], changes?: Partial<LaunchPlan>): Promise<TestAttempt>
  /** A process that the test answers for: it must be dead when the test ends. */
  answerFor(pid: number): LocalIdentity
  /** The lines of an agent's stdout, once there are `count`. */
  lines(attempt: TestAttempt, count: number): Promise<readonly string[]>
  /** The processes that announced themselves as `escaped PID`. */
  escaped(attempt: TestAttempt, count: number): Promise<readonly LocalIdentity[]>
  /** How the attempt ended, once it has. */
  exit(attempt: TestAttempt): Promise<AgentExit>
  /** The pid and start time in the files `pid` or `wrapper`. */
  identity(attempt: TestAttempt, who: 'pid' | 'wrapper'): LocalIdentity
}

/** The process table that these tests run on. */
export const processes = await loadProcessTable()

export const isAlive = (one: LocalIdentity) => processes.liveness(one) === 'alive'

/** To be called at the top of a test file, or of a group of tests. */
export function useAttempts(table = processes): Attempts {
  // Whoever stops an attempt calls again where one call gives up: a busy machine may take seconds
  // to let two processes die, and a report names those alone whom its own call has met.
  const host = makeProcessHost(table, { stopLimitMs: 100_000 })
  let root = ''
  let tasks: string[] = []
  let answered: LocalIdentity[] = []

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-process-'))
    tasks = []
    answered = []
  })
  afterEach(async () => {
    // The wrapper outlives its last word by some microseconds, and longer on a busy machine.
    const left = await eventually(
      'the processes of the test are gone',
      () => {
        const found = [...findMarked(tasks), ...answered.filter(isAlive)]
        return found.length === 0 ? [] : undefined
      },
      30_000,
    ).catch(() => [...findMarked(tasks), ...answered.filter(isAlive)])
    for (const one of left) if (isAlive(one)) killIfThere(one.pid)
    rmSync(root, { recursive: true, force: true })
    expect(left, 'the test left processes behind').toEqual([])
  })

  const attempts: Attempts = {
    host,
    plan([program, ...args], changes = {}) {
      const task = makeTaskId(randomBytes(10))
      tasks.push(task)
      const worktree = mkdtempSync(join(root, 'worktree-'))
      return {
        task,
        fence: asFence(1),
        runDirectory: join(root, 'tasks', task, 'attempt-1'),
        argv: [program.startsWith('/') ? program : fixture(program), ...args],
        environment: { PATH: process.env.PATH ?? '' },
        workingDirectory: worktree,
        stdin: new Uint8Array(),
        setUp: null,
        enclosure: null,
        ...changes,
        worktree,
      }
    },
    async launch(argv, changes) {
      const attempt = attempts.plan(argv, changes)
      await host.launch(attempt)
      return attempt
    },
    answerFor(pid) {
      const stat = readStat(pid)
      if (stat === undefined) throw new Error(`process ${pid} is gone already`)
      const identity = { pid, startTime: stat.startTime }
      answered.push(identity)
      return identity
    },
    lines: (attempt, count) =>
      eventually(`the agent prints ${count} lines`, () => {
        const { lines } = host.readLines(attempt.runDirectory, 0, false)
        return lines.length >= count && lines
      }),
    async escaped(attempt, count) {
      const lines = await attempts.lines(attempt, count)
      return lines.map(line => attempts.answerFor(Number(line.replace('escaped ', ''))))
    },
    exit: attempt =>
      eventually('the exit is written', () => host.lookAtRun(attempt.runDirectory).exit),
    identity(attempt, who) {
      const identity = loadIdentity(attempt.runDirectory, who)
      // Never a guess: a signal to process 0 or -0 is one to this very process group.
      if (identity === undefined) throw new Error(`no identity in ${who}`)
      return identity
    },
  }
  return attempts
}

/** The processes that bear a mark of these tasks, found without the code under test. */
function findMarked(tasks: readonly string[]): readonly LocalIdentity[] {
  return readdirSync('/proc').flatMap(name => {
    const pid = Number(name)
    const environment = Number.isInteger(pid) ? readEnvironment(pid) : ''
    const mark = /(?:^|\0)HOLDFAST_ATTEMPT=([^.\0]*)/.exec(environment)?.[1]
    const stat = mark !== undefined && tasks.includes(mark) ? readStat(pid) : undefined
    return stat === undefined || stat.state === 'Z' ? [] : [{ pid, startTime: stat.startTime }]
  })
}

function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return '' // gone, or not ours
  }
}
