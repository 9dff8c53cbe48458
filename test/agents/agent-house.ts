/**
 * A place for the tests of one adapter against its real, pinned agent, with the scripted model
 * behind it; offline. The agent runs as Holdfast would start it, but as a plain child: only the
 * adapter is under test. Nothing lies in `/tmp`, of which a confined agent sees nothing.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { ensureAgent, type PinnedAgent } from '../../src/demo/ensure-agent.ts'
import type { Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import type { AgentExit, AttemptOutcome } from '../../src/domain/outcome.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type {
  Agent,
  AgentInstallation,
  AgentLaunch,
  Environment,
  Translation,
} from '../../src/ports/agent.ts'
import { loadConfinement } from '../../src/process/confinement/confinement.ts'
import { visibleParent } from '../confined.ts'

export interface Ask {
  readonly prompt?: string
  readonly permissions?: PermissionMode
  readonly resume?: SessionId | null
  readonly directory?: string
  readonly model?: string
  readonly effort?: string
  /** The system's confinement is put around it. */
  readonly confined?: boolean
}

export interface AgentEnd {
  readonly exit: AgentExit
  readonly outcome: AttemptOutcome
  readonly translation: Translation
  readonly events: readonly AgentEvent[]
  readonly stderr: string
}

export interface AgentRun {
  readonly child: ChildProcess
  /** What was understood so far; grows while the agent runs. */
  readonly events: readonly AgentEvent[]
  /** What it has written there so far. */
  stderr(): string
  readonly ended: Promise<AgentEnd>
}

/** Its parts are new for each test. */
export interface AgentHouse {
  readonly root: string
  readonly workspace: string
  readonly model: ScriptedModel
  readonly installation: AgentInstallation
  /** May be added to before a run. */
  environment: Record<string, string>
  /** Writes the agent's home anew, with other settings. */
  furnish(options: object): Promise<void>
  start(turns: readonly Turn[], ask?: Ask): Promise<AgentRun>
  run(turns: readonly Turn[], ask?: Ask): Promise<AgentEnd>
  /** Whether something is there, by its path from the workspace. */
  there(path: string): boolean
  /** Waits until nothing runs below the root any more; the pids of what still does. */
  waitUntilGone(): Promise<readonly number[]>
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

export function useAgentHouse(
  agent: Agent,
  pinned: PinnedAgent,
  writeHome: (directory: string, url: string, options: object) => Promise<Environment>,
): AgentHouse {
  const runs: AgentRun[] = []
  const state = {} as { -readonly [Key in keyof AgentHouse]: AgentHouse[Key] }
  let bin: string

  beforeAll(async () => {
    bin = (await ensureAgent(pinned)).bin
  }, 600_000)

  beforeEach(async () => {
    state.root = realpathSync(mkdtempSync(join(visibleParent(), 'test-')))
    state.workspace = join(state.root, 'workspace')
    execFileSync('git', ['init', '-q', state.workspace])
    state.model = await startScriptedModel()
    await house.furnish({})
    state.installation = await agent.findInstallation(state.environment, [], state.workspace)
  })

  afterEach(async () => {
    for (const run of runs.splice(0)) {
      if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL')
      await run.ended
    }
    await state.model.close()
    const left = await house.waitUntilGone()
    for (const pid of left) process.kill(pid, 'SIGKILL')
    rmSync(state.root, { recursive: true, force: true, maxRetries: 5 })
    expect(left).toEqual([])
  })

  async function enclose(launch: AgentLaunch, directory: string, mode: PermissionMode) {
    if (mode === 'full') throw new Error('nothing confines that')
    const confinement = await loadConfinement({
      home: join(state.root, 'state'),
      toolPath: process.env.PATH ?? '',
      isSandboxed: async () => false,
    })
    mkdirSync(join(state.root, 'state'), { recursive: true })
    const { argv } = await confinement.enclose({
      mode,
      worktree: state.workspace,
      commonDir: join(state.workspace, '.git'),
      workingDirectory: directory,
      program: launch.argv[0],
      environment: launch.environment,
      scratch: join(state.root, 'scratch'),
      own: launch.own ?? { readable: [], writable: [] },
    })
    return [...argv, ...launch.argv]
  }

  const house: AgentHouse = Object.assign(state, {
    async furnish(options: object) {
      state.environment = {
        PATH: [dirname(bin), process.env.PATH].join(delimiter),
        HOME: state.root,
        ...(await writeHome(join(state.root, 'agent-home'), state.model.url, options)),
      }
    },

    async start(turns: readonly Turn[], ask: Ask = {}) {
      state.model.setTurns(turns)
      const effective = ask.permissions ?? 'workspace'
      const workingDirectory = ask.directory ?? state.workspace
      const launch = agent.planLaunch({
        installation: state.installation,
        mode: ask.resume
          ? { kind: 'resume', session: ask.resume, why: 'a test' }
          : { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
        prompt: Buffer.from(ask.prompt ?? 'do it'),
        argv: [],
        model: ask.model ?? null,
        effort: ask.effort ?? null,
        permissions: { asked: effective, effective, enforcedBy: 'system' },
        asks: false,
        worktree: state.workspace,
        workingDirectory,
        environment: state.environment,
      })
      const argv = ask.confined
        ? await enclose(launch, workingDirectory, effective)
        : [...launch.argv]
      const run = startChild(agent, argv, launch, workingDirectory)
      runs.push(run)
      return run
    },

    async run(turns: readonly Turn[], ask?: Ask) {
      return (await house.start(turns, ask)).ended
    },

    there: (path: string) => existsSync(join(state.workspace, path)),

    /** Long, for a loaded machine. */
    async waitUntilGone() {
      await expect
        .poll(() => standingIn(state.root), { timeout: 40_000 })
        .toEqual([])
        .catch(() => undefined)
      return standingIn(state.root)
    },
  })
  return house
}

/** The processes that stand in a directory or below it; none where there is no `/proc`. */
function standingIn(directory: string): readonly number[] {
  if (!existsSync('/proc/self/cwd')) return []
  const pids = readdirSync('/proc').filter(entry => /^\d+$/.test(entry))
  return pids.map(Number).filter(pid => {
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`)
    } catch {
      return false // It is gone, or a zombie, or not ours.
    }
  })
}

function startChild(
  agent: Agent,
  [program = '', ...args]: readonly string[],
  launch: AgentLaunch,
  directory: string,
): AgentRun {
  const child = spawn(program, args, { cwd: directory, env: launch.environment })
  const events: AgentEvent[] = []
  let translation = agent.translator.initial
  let rest = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const translated = agent.translator.translate(translation, line)
      translation = translated.state
      events.push(...translated.events)
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => undefined) // It may have ended without reading.
  child.stdin.end(launch.stdin)

  const exited = once(child, 'exit')
  const closed = once(child, 'close')
  const ended = exited.then(async ([code, signal]: (number | string | null)[]) => {
    // Of one that was killed, a tool may live on and hold stdout open.
    if (signal === null) await closed
    const exit: AgentExit =
      typeof code === 'number'
        ? { kind: 'exited', code }
        : { kind: 'signalled', signal: SIGNALS[String(signal)] ?? 0 }
    const ending = { exit, stderr, saidAt: Date.now(), timeZone: 'UTC' }
    return { exit, outcome: agent.judge(translation, ending), translation, events, stderr }
  })
  return { child, events, stderr: () => stderr, ended }
}
