/**
 * A place for the tests of one adapter against its real, pinned agent, with the scripted model
 * behind it; offline. The agent runs as Holdfast would start it, but as a plain child: only the
 * adapter is under test. Nothing lies in `/tmp`, of which a confined agent sees nothing.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { ensureAgent, type PinnedAgent } from '../../src/demo/ensure-agent.ts'
import type { Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { Agent, AgentInstallation, AgentLaunch, Environment } from '../../src/ports/agent.ts'
import { loadConfinement } from '../../src/process/confinement/confinement.ts'
import { visibleParent } from '../confined.ts'
import { type AgentEnd, type AgentRun, startAgent } from './run-agent.ts'
import { killAllIn, standingIn } from './standing.ts'

export interface Ask {
  readonly prompt?: string
  readonly permissions?: PermissionMode
  readonly resume?: SessionId | null
  readonly directory?: string
  readonly model?: string
  readonly effort?: string
  /** The system's confinement is put around it. */
  readonly confined?: boolean
  /** It is given its prompt alone. */
  readonly oneShot?: boolean
  /** It is not ended with its turn. */
  readonly stays?: boolean
  /** It asks before it edits or runs anything. */
  readonly asks?: boolean
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
    killAllIn(state.root)
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
    return argv
  }

  async function plan(ask: Ask) {
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
      asks: ask.asks ?? false,
      ...(ask.oneShot && { oneShot: true }),
      handOver: null,
      worktree: state.workspace,
      workingDirectory,
      environment: state.environment,
    })
    const enclosure = ask.confined ? await enclose(launch, workingDirectory, effective) : []
    return { launch, workingDirectory, enclosure }
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
      const { launch, workingDirectory, enclosure } = await plan(ask)
      const run = startAgent(agent, launch, workingDirectory, enclosure, ask.stays)
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
        .poll(() => standingIn(state.root), { timeout: 120_000 })
        .toEqual([])
        .catch(() => undefined)
      return standingIn(state.root)
    },
  })
  return house
}
