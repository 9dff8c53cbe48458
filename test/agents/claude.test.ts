/** The adapter against the real Claude Code, pinned, with the scripted model behind it; offline. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claude } from '../../src/agents/claude/agent.ts'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import {
  type ClaudeHomeOptions,
  writeClaudeHome,
} from '../../src/demo/scripted-model/claude-home.ts'
import { say, shell, type Turn, usageLimit } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { AgentInstallation, AgentLaunch, LaunchRequest } from '../../src/ports/agent.ts'
import { loadConfinement } from '../../src/process/confinement/confinement.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { type AgentEnd, type AgentRun, startAgent } from './run-agent.ts'
import { killAllIn, standingIn } from './standing.ts'
import { turnsOf } from './turns.ts'

let bin: string
let root: string
let workspace: string
let model: ScriptedModel
let environment: Record<string, string>
let installation: AgentInstallation
const runs: AgentRun[] = []

beforeAll(async () => {
  bin = (await ensureAgent('claude')).bin
}, 600_000)

beforeEach(async () => {
  root = mkdtempSync(join(visibleParent(), 'test-'))
  workspace = join(root, 'workspace')
  execFileSync('git', ['init', '-q', workspace])
  model = await startScriptedModel()
  await useLogin({})
  installation = await claude.findInstallation(environment, [], workspace)
})

afterEach(async () => {
  for (const run of runs.splice(0)) {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL')
    await run.ended
  }
  await model.close()
  await expect
    .poll(() => standingIn(root), { timeout: 120_000 })
    .toEqual([])
    .catch(() => undefined)
  const left = standingIn(root)
  killAllIn(root)
  rmSync(root, { recursive: true, force: true, maxRetries: 5 })
  expect(left).toEqual([])
})

async function useLogin(options: ClaudeHomeOptions): Promise<void> {
  environment = {
    PATH: [dirname(bin), process.env.PATH].join(delimiter),
    HOME: join(root, 'home'),
    ...(await writeClaudeHome(join(root, 'config'), model.origin, options)),
  }
  mkdirSync(environment.HOME ?? '', { recursive: true })
}

interface Ask {
  readonly prompt?: string
  readonly permissions?: PermissionMode
  readonly resume?: SessionId | null
  readonly session?: string
  readonly directory?: string
  readonly model?: string
  readonly effort?: string
  readonly asks?: boolean
  readonly oneShot?: true
}

const SESSION = '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d'

function plan(ask: Ask): AgentLaunch {
  const effective = ask.permissions ?? 'full'
  const request: LaunchRequest = {
    installation,
    mode: ask.resume
      ? { kind: 'resume', session: ask.resume, why: 'a test' }
      : { kind: 'fresh', sessionToBe: ask.session ?? SESSION },
    prompt: Buffer.from(ask.prompt ?? 'do it'),
    argv: [],
    model: ask.model ?? null,
    effort: ask.effort ?? null,
    permissions: {
      asked: effective,
      effective,
      enforcedBy: effective === 'full' ? 'none' : 'system',
    },
    asks: ask.asks ?? false,
    ...(ask.oneShot && { oneShot: true }),
    handOver: null,
    worktree: workspace,
    workingDirectory: ask.directory ?? workspace,
    environment,
  }
  return claude.planLaunch(request)
}

function start(turns: readonly Turn[], ask: Ask = {}): AgentRun {
  model.setTurns(turns)
  const run = startAgent(claude, plan(ask), ask.directory ?? workspace)
  runs.push(run)
  return run
}

const run = (turns: readonly Turn[], ask?: Ask): Promise<AgentEnd> => start(turns, ask).ended

/** Within the system's confinement, as the engine puts it around. */
async function runConfined(turns: readonly Turn[], ask: Ask = {}): Promise<AgentEnd> {
  model.setTurns(turns)
  const mode = ask.permissions === 'read-only' ? 'read-only' : 'workspace'
  const launch = plan({ ...ask, permissions: mode })
  const home = join(root, 'state')
  mkdirSync(home, { recursive: true })
  const confinement = await loadConfinement({
    home,
    toolPath: process.env.PATH ?? '',
    isSandboxed: async () => false,
  })
  const { argv } = await confinement.enclose({
    mode,
    worktree: workspace,
    commonDir: join(workspace, '.git'),
    workingDirectory: workspace,
    program: launch.argv[0],
    environment: launch.environment,
    scratch: join(root, 'scratch'),
    own: launch.own ?? { readable: [], writable: [] },
  })
  const run = startAgent(claude, launch, workspace, argv)
  runs.push(run)
  return await run.ended
}

const bodies = () => turnsOf(model).map(one => one.body)
const newest = () => turnsOf(model).at(-1)
const there = (path: string) => existsSync(join(workspace, path))
const settings = (value: object) =>
  writeFileSync(join(root, 'config', 'settings.json'), JSON.stringify(value))
const outputs = ({ events }: AgentEnd) =>
  events.flatMap(event => (event.kind === 'command_ended' ? [event.output] : []))

describe('a turn', () => {
  it('is finished, and its work, answer and usage are understood', async () => {
    const prompt = 'Make ünïcode.txt\n\twith “quotes” \\ and $HOME\n'
    const end = await run([shell('echo hi > made.txt', 'Making it.'), say('It is made.')], {
      prompt,
      model: 'opus',
      effort: 'minimal',
    })
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(end.translation).toMatchObject({
      session: SESSION,
      answer: 'It is made.',
      usage: { inputTokens: 200, cachedInputTokens: 80, outputTokens: 40 },
    })
    expect(end.translation.usage?.costUsd).toBeGreaterThan(0)
    expect(end.events.map(event => event.kind)).toEqual([
      'session_started',
      'turn_started',
      'message_ended',
      'command_started',
      'command_ended',
      'message_ended',
      'usage_reported',
      'turn_ended',
    ])
    expect(end.events).toContainEqual(expect.objectContaining({ exitCode: 0 }))
    expect(there('made.txt')).toBe(true)
    const texts = newest()?.conversation?.userTexts ?? []
    expect(texts.some(text => text.includes(`\n\n${prompt}`))).toBe(true)
    expect(newest()?.body).toMatchObject({
      model: expect.stringMatching(/^claude-opus/),
      output_config: { effort: 'low' },
    })
  })

  it.each<[string, Turn, string, string, RegExp]>([
    [
      'a model error',
      {
        kind: 'http_error',
        status: 400,
        body: { type: 'error', error: { type: 'invalid_request_error', message: 'bad shape' } },
      },
      'failed',
      'model_error',
      /400 bad shape/,
    ],
    [
      'a refused key',
      {
        kind: 'http_error',
        status: 401,
        body: { type: 'error', error: { type: 'authentication_error', message: 'bad key' } },
      },
      'failed',
      'auth',
      /401/,
    ],
    [
      'a failing model',
      { kind: 'http_error', status: 500 },
      'interrupted',
      'model_unavailable',
      /500/,
    ],
    [
      'a limit of its key',
      usageLimit(Date.now() + 3_600_000),
      'interrupted',
      'rate_limited',
      /\(429\)/,
    ],
  ])('fails by %s', async (_name, turn, kind, code, words) => {
    // Before it gives up, it asks again without what a model may not know.
    const end = await run(Array.from({ length: 20 }, () => turn))
    expect(end.exit).toEqual({ kind: 'exited', code: 1 })
    expect(end.outcome).toMatchObject({ kind, failure: { code } })
    expect('failure' in end.outcome && end.outcome.failure.message).toMatch(words)
    expect(end.events.filter(event => event.kind === 'error_given')).toHaveLength(1)
  })

  it('meets the limit of a subscription, and knows when that passes', async () => {
    await useLogin({ credential: 'subscription' })
    const resetsAtMs = Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000
    const end = await run([usageLimit(resetsAtMs)])
    expect(end.outcome).toMatchObject({
      kind: 'limited',
      failure: { code: 'usage_limit', message: expect.stringContaining('hit your') },
      resetsAt: resetsAtMs,
    })
  })

  it('is silent while the model is, and says nothing that could be taken for an end', async () => {
    const hanging = start([{ kind: 'hang' }])
    await expect.poll(() => bodies().length, { timeout: 120_000 }).toBeGreaterThan(0)
    const said = () => hanging.events.map(event => event.kind)
    await expect.poll(said, { timeout: 120_000 }).toEqual(['session_started', 'turn_started'])
    hanging.child.kill('SIGKILL')
    expect((await hanging.ended).outcome).toMatchObject({
      kind: 'interrupted',
      failure: { code: 'agent_crashed' },
    })
    expect(said()).toEqual(['session_started', 'turn_started'])
  })

  it('goes well for Claude Code also where its directory is gone', async () => {
    const directory = join(root, 'doomed')
    execFileSync('git', ['init', '-q', directory])
    const end = await run(
      [shell('rm -rf "$PWD"; true'), shell('echo x > here.txt'), say('Done.')],
      {
        directory,
      },
    )
    // Whoever started it has to look at the worktree.
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(existsSync(directory)).toBe(false)
  })
})

describe('a session', () => {
  it('is resumed with its history under the same id, and counts its own attempt alone', async () => {
    const first = await run([shell('echo 1 > one.txt'), say('One is made.')], {
      prompt: 'the word is BLUEBERRY',
    })
    const { session, usage } = first.translation
    const second = await run([say('Two.')], { resume: session })
    expect(second.outcome.kind).toBe('succeeded')
    expect(second.translation).toMatchObject({ session, answer: 'Two.' })
    const history = JSON.stringify(newest()?.body)
    for (const part of ['BLUEBERRY', 'One is made.', 'You were interrupted (a test): check ']) {
      expect(history).toContain(part)
    }
    expect(second.translation.usage).toMatchObject({ inputTokens: 100, outputTokens: 20 })
    expect(second.translation.usage?.costUsd).toBeLessThan(usage?.costUsd ?? 0)
  })

  it('goes on in another directory, with its transcript, once it was moved there', async () => {
    const { session } = (await run([say('One.')], { prompt: 'remember the word birch' }))
      .translation
    const checkout = join(root, 'checkout ü')
    const move = { session: session as SessionId, from: workspace, to: checkout }
    mkdirSync(checkout)
    const transcripts = () =>
      readdirSync(join(root, 'config', 'projects'), { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith(`${session}.jsonl`))
        .map(name => name.replace(/^.*-([^-/]+-*)\/.*$/, '$1'))
    const carry = async (one: typeof move) => {
      const plan = await claude.planSessionMove?.(one, environment)
      if (plan?.kind !== 'moves') throw new Error(plan?.why)
      await plan.carry()
      // Whoever was killed, or asks again, finds it done.
      await plan.carry()
    }
    expect(transcripts()).toEqual(['workspace'])
    await carry(move)
    await carry(move)
    expect(transcripts()).toEqual(['checkout--'])
    const turns = [shell('echo here > here.txt'), say('Two.')]
    const second = await run(turns, { resume: session, directory: checkout })
    expect(second.translation).toMatchObject({ session, answer: 'Two.' })
    expect(JSON.stringify(newest()?.body)).toContain('birch')
    expect(existsSync(join(checkout, 'here.txt'))).toBe(true)
    expect(transcripts()).toEqual(['checkout--'])
    await carry({ ...move, from: checkout, to: workspace })
    expect((await run([say('Three.')], { resume: session })).translation.answer).toBe('Three.')
    expect(transcripts()).toEqual(['workspace'])
    const unknown = { ...move, session: '00000000-0000-4000-8000-000000000000' as SessionId }
    expect(await claude.planSessionMove?.(unknown, environment)).toMatchObject({ kind: 'stays' })
  })

  it.each<[string, Ask, Ask]>([
    ['one-shot, after a dialogue', {}, { oneShot: true }],
    ['in a dialogue, after one-shot', { oneShot: true }, {}],
  ])(
    'is resumed after Claude Code was killed in the middle of a command: %s',
    async (_, one, two) => {
      // The command outlives Claude Code: it ends by itself.
      const waiting = 'touch started; until [ -e ended ]; do sleep 0.01; done; touch over'
      const killed = start([shell(waiting)], { ...one, prompt: 'the word is BLUEBERRY' })
      await expect.poll(() => there('started'), { timeout: 120_000 }).toBe(true)
      killed.child.kill('SIGKILL')
      const first = await killed.ended
      writeFileSync(join(workspace, 'ended'), '')
      expect(first.outcome).toMatchObject({
        kind: 'interrupted',
        failure: { code: 'agent_crashed', message: expect.stringContaining('killed by signal 9') },
      })
      expect(first.translation.usage?.inputTokens).toBe(100)
      const second = await run([say('Back.')], { ...two, resume: first.translation.session })
      expect(second.outcome.kind).toBe('succeeded')
      expect(JSON.stringify(newest()?.body)).toMatch(/BLUEBERRY.*You were interrupted/)
    },
  )

  it('that is unknown is lost, and the prompt can be given again', async () => {
    const end = await run([say('never')], { resume: SESSION as SessionId })
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'session_lost' } })
    expect(bodies()).toEqual([])
  })

  it('whose chosen id is taken is lost too: the next gets another', async () => {
    await run([say('First.')])
    const end = await run([say('never')])
    expect(end.outcome).toMatchObject({
      kind: 'interrupted',
      failure: { code: 'session_lost', message: expect.stringContaining('already in use') },
    })
    const session = '1f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d'
    expect((await run([say('Second.')], { session })).outcome.kind).toBe('succeeded')
  })

  it.each([
    ['waits for the model', { kind: 'hang' } as const],
    ['runs a command', shell('touch started; tail -f /dev/null')],
  ])('is interrupted by SIGINT while it %s, and no success', async (_name, turn) => {
    const running = start([turn])
    const isUnderWay = () => (turn.kind === 'hang' ? bodies().length > 0 : there('started'))
    await expect.poll(isUnderWay, { timeout: 120_000 }).toBe(true)
    expect(claude.capabilities.gracefulSignal).toBe('SIGINT')
    running.child.kill('SIGINT')
    const end = await running.ended
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'agent_crashed' } })
    killAllIn(workspace)
  })
})

describe('permissions', () => {
  it('that the user’s settings deny are refused, and told of', async () => {
    settings({ permissions: { deny: ['Bash(touch *)'] } })
    const end = await run([shell('touch no.txt'), say('It was refused.')])
    expect(end.outcome.kind).toBe('succeeded')
    expect(there('no.txt')).toBe(false)
    expect(end.events).toContainEqual({
      kind: 'action_refused',
      action: 'Bash: touch no.txt',
      why: expect.stringContaining('has been denied'),
    })
  })

  it('are those that were settled, whatever mode the user’s settings name', async () => {
    settings({ permissions: { defaultMode: 'plan' } })
    expect(await claude.configuredMode?.(environment)).toBe('read-only')
    await run([shell('touch yes.txt'), say('Done.')])
    expect(there('yes.txt')).toBe(true)
  })

  const places = () => {
    const config = join(root, 'config')
    return [
      '../outside.txt',
      '.git/config.new',
      join(root, 'home', 'x'),
      ...[
        'settings.json',
        'CLAUDE.md',
        '.claude.json',
        'hooks',
        'plugins',
        'shell-snapshots',
        'projects/other',
        'tasks/other',
      ].map(name => join(config, name)),
    ]
  }
  const tryAll = () =>
    shell(
      places()
        .map(path => `touch ${path} && echo WROTE ${path}`)
        .concat('true')
        .join('; '),
    )

  confinedTest('of a workspace reach over the worktree and no further', async () => {
    writeFileSync(join(workspace, 'test.mjs'), "import 'node:fs'; console.log('tests pass')\n")
    const test = `"${process.execPath}" test.mjs && echo x > inside.txt && echo x > /tmp/mine`
    const before = claudeFiles()
    const end = await runConfined([shell(test), tryAll(), say('Tried.')])
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(outputs(end)[0]).toContain('tests pass')
    expect(outputs(end)[1]).not.toContain('WROTE')
    expect(there('inside.txt')).toBe(true)
    // Nothing that a later run obeys is new.
    expect(claudeFiles().filter(path => !before.includes(path))).toEqual([
      expect.stringMatching(`^projects/[^/]*-workspace/${SESSION}.jsonl$`),
    ])
  })

  confinedTest('to read let it read and run, and write nothing', async () => {
    writeFileSync(join(workspace, 'a.txt'), 'contents\n')
    const end = await runConfined([shell('cat a.txt; echo x > b.txt'), tryAll(), say('Read.')], {
      permissions: 'read-only',
    })
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(outputs(end)[0]).toContain('contents')
    expect(outputs(end)[1]).not.toContain('WROTE')
    expect(there('b.txt')).toBe(false)
    const tools = newest()?.conversation?.tools ?? []
    expect(tools).toContain('Bash')
    for (const name of ['Edit', 'Write', 'NotebookEdit', 'EnterWorktree']) {
      expect(tools).not.toContain(name)
    }
  })

  confinedTest('let a session go on in the confinement, and out of it', async () => {
    const first = await runConfined([say('One.')], { prompt: 'the word is BLUEBERRY' })
    const { session } = first.translation
    expect((await runConfined([say('Two.')], { resume: session })).translation.answer).toBe('Two.')
    await run([say('Three.')], { resume: session })
    expect(JSON.stringify(newest()?.body)).toMatch(/BLUEBERRY.*One\..*Two\./)
  })

  confinedTest(
    'leave it the login of a subscription to read, also in the usual place',
    async () => {
      const { CLAUDE_CONFIG_DIR: _, ANTHROPIC_API_KEY: __, ...rest } = environment
      environment = rest
      const directory = join(root, 'home', '.claude')
      mkdirSync(directory)
      const accessToken = 'sk-ant-oat01-stored'
      const claudeAiOauth = {
        accessToken,
        refreshToken: 'sk-ant-ort01-stored',
        expiresAt: Date.now() + 3_600_000,
        scopes: ['user:inference', 'user:profile'],
        subscriptionType: 'max',
      }
      const file = join(directory, '.credentials.json')
      writeFileSync(file, JSON.stringify({ claudeAiOauth }))
      expect(await claude.look(environment)).toMatchObject({ login: 'present', trouble: null })
      const end = await runConfined([shell(`echo x >> ${file}; true`), say('Logged in.')])
      expect(end.translation.answer).toBe('Logged in.')
      expect(JSON.parse(readFileSync(file, 'utf8')).claudeAiOauth.accessToken).toBe(accessToken)
    },
  )

  confinedTest('hold in a directory of a very long name', async () => {
    const long = join(root, 'l'.repeat(120), 'm'.repeat(120))
    mkdirSync(dirname(long))
    execFileSync('git', ['init', '-q', long])
    workspace = long
    const first = await runConfined([say('One.')])
    const end = await runConfined([say('Two.')], { resume: first.translation.session })
    expect(end.translation.answer).toBe('Two.')
  })
})

/** All in Claude Code's directory, by relative path. */
function claudeFiles(): readonly string[] {
  const config = join(root, 'config')
  return readdirSync(config, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(config.length + 1))
}

describe('the installation', () => {
  it('is the native binary', () => {
    expect(installation.version).toBe('2.1.329')
    expect(readFileSync(installation.program).subarray(1, 4).toString('latin1')).toBe('ELF')
  })

  it('is refused while it is logged out', async () => {
    const { ANTHROPIC_API_KEY: _, ...rest } = environment
    await expect(claude.findInstallation(rest, [], workspace)).rejects.toMatchObject({
      code: 'agent_logged_out',
      message: expect.stringContaining('not logged in'),
      hint: expect.stringContaining('claude auth login'),
    })
    expect(await claude.look(rest)).toMatchObject({ login: 'missing' })
  })
})
