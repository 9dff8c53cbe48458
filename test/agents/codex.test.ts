/**
 * The adapter against the real Codex, pinned, with the scripted model behind it; offline. The
 * sandbox lets Codex write to the temporary directories, so everything here lies in the cache.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { codex } from '../../src/agents/codex/agent.ts'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import type { AttemptOutcome, FailureCode } from '../../src/domain/outcome.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { AgentInstallation, LaunchRequest } from '../../src/ports/agent.ts'
import { type AgentEnd, type AgentRun, startAgent } from './run-agent.ts'
import { killAllIn, standingIn } from './standing.ts'
import { turnsOf } from './turns.ts'

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast')

let bin: string
let root: string
let workspace: string
let model: ScriptedModel
let environment: Record<string, string>
let installation: AgentInstallation
const runs: AgentRun[] = []

beforeAll(async () => {
  bin = (await ensureAgent('codex')).bin
  mkdirSync(cache, { recursive: true })
}, 600_000)

beforeEach(async () => {
  root = mkdtempSync(join(cache, 'test-'))
  workspace = join(root, 'workspace')
  execFileSync('git', ['init', '-q', workspace])
  model = await startScriptedModel()
  environment = {
    PATH: [dirname(bin), process.env.PATH].join(delimiter),
    HOME: root,
    ...(await writeCodexHome(join(root, 'codex-home'), model.url)),
  }
  installation = await codex.findInstallation(environment, [], workspace)
})

afterEach(async () => {
  for (const run of runs.splice(0)) {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL')
    await run.ended
  }
  await model.close()
  const left = await waitUntilGone(root)
  killAllIn(root)
  rmSync(root, { recursive: true, force: true })
  expect(left).toEqual([])
})

/** Those that are still there after a while: long, for a loaded machine. */
async function waitUntilGone(directory: string): Promise<readonly number[]> {
  await expect
    .poll(() => standingIn(directory), { timeout: 120_000 })
    .toEqual([])
    .catch(() => undefined)
  return standingIn(directory)
}

interface Ask {
  readonly prompt?: string
  readonly permissions?: PermissionMode
  readonly resume?: SessionId | null
  readonly directory?: string
  readonly effort?: string
  /** It is given its prompt alone. */
  readonly oneShot?: true
  readonly asks?: true
}

function plan(ask: Ask) {
  const effective = ask.permissions ?? 'workspace'
  const workingDirectory = ask.directory ?? workspace
  const request: LaunchRequest = {
    installation,
    mode: ask.resume
      ? { kind: 'resume', session: ask.resume, why: 'a test' }
      : { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
    prompt: Buffer.from(ask.prompt ?? 'do it'),
    argv: [],
    model: null,
    effort: ask.effort ?? null,
    permissions: { asked: effective, effective, enforcedBy: 'agent' },
    asks: ask.asks ?? false,
    ...(ask.oneShot && { oneShot: true }),
    handOver: null,
    worktree: workspace,
    workingDirectory,
    environment,
  }
  return { launch: codex.planLaunch(request), workingDirectory }
}

function start(turns: readonly Turn[], ask: Ask = {}): AgentRun {
  model.setTurns(turns)
  const { launch, workingDirectory } = plan(ask)
  const run = startAgent(codex, launch, workingDirectory)
  runs.push(run)
  return run
}

const run = (turns: readonly Turn[], ask?: Ask): Promise<AgentEnd> => start(turns, ask).ended

const newest = () => turnsOf(model).at(-1)
const userTexts = () => newest()?.conversation?.userTexts ?? []
const there = (path: string) => existsSync(join(workspace, path))

describe('a turn', () => {
  it('is finished, and its work, answer and usage are understood', async () => {
    const prompt = 'Make ünïcode.txt\n\twith “quotes” \\ and $HOME\n'
    const end = await run([shell('echo hi > made.txt', 'Making it.'), say('It is made.')], {
      prompt,
      effort: 'high',
    })
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(end.translation.answer).toBe('It is made.')
    expect(end.translation.usage).toEqual({
      inputTokens: 200,
      cachedInputTokens: 80,
      outputTokens: 40,
      costUsd: null,
    })
    expect(end.events.map(event => event.kind)).toEqual([
      'session_started',
      'warning_given',
      'turn_started',
      'message_ended',
      'command_started',
      'command_ended',
      'message_ended',
      'usage_reported',
      'turn_ended',
    ])
    expect(end.stderr).toBe('')
    expect(there('made.txt')).toBe(true)
    expect(userTexts().some(text => text.endsWith(`\n\n${prompt}`))).toBe(true)
    expect(newest()?.body).toMatchObject({ reasoning: { effort: 'high' } })
  })

  it('is a patch, and the files that it changed are named', async () => {
    const patch =
      "apply_patch <<'EOP'\n*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\nEOP"
    const end = await run([shell(patch), say('Done.')])
    expect(end.events).toContainEqual({
      kind: 'files_changed',
      paths: [join(workspace, 'new.txt')],
    })
  })

  it.each<[string, Turn, AttemptOutcome['kind'], FailureCode, RegExp]>([
    [
      'a model error',
      { kind: 'http_error', status: 400, body: { error: { message: 'bad shape' } } },
      'failed',
      'model_error',
      /bad shape/,
    ],
    [
      'a refused key',
      { kind: 'http_error', status: 401, body: { error: { message: 'bad key' } } },
      'failed',
      'auth',
      /401/,
    ],
    [
      'too many requests',
      { kind: 'http_error', status: 429, headers: { 'retry-after': '0' } },
      'interrupted',
      'rate_limited',
      /429/,
    ],
    [
      'a usage limit',
      {
        kind: 'http_error',
        status: 429,
        body: { error: { type: 'usage_limit_reached', plan_type: 'plus', resets_at: 4e9 } },
      },
      'limited',
      'usage_limit',
      /usage limit/,
    ],
    [
      'a broken server',
      { kind: 'http_error', status: 500 },
      'interrupted',
      'model_unavailable',
      /high demand/,
    ],
    [
      'a failure within the stream',
      { kind: 'failed', code: 'server_error', message: 'boom' },
      'interrupted',
      'model_unavailable',
      /boom/,
    ],
    [
      'a dropped stream',
      { kind: 'drop', when: 'mid' },
      'interrupted',
      'model_unavailable',
      /disconnected/,
    ],
  ])('ends by %s', async (_name, turn, kind, code, words) => {
    const end = await run([turn, turn, turn, turn])
    expect(end.outcome).toMatchObject({
      kind,
      failure: { code, message: expect.stringMatching(words) },
    })
  })

  it('goes on after one dropped stream', async () => {
    const end = await run([{ kind: 'drop', when: 'mid' }, say('Here again.')])
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.translation.answer).toBe('Here again.')
    expect(end.events).toContainEqual({
      kind: 'warning_given',
      message: expect.stringMatching(/^Reconnecting\.\.\. 1\/1/),
    })
  })
})

describe('a session', () => {
  it('is resumed with its history, and goes on under the same id', async () => {
    const first = await run([shell('echo 1 > one.txt'), say('One is made.')], {
      prompt: 'the word is BLUEBERRY',
    })
    const { session } = first.translation
    const second = await run([say('Two.')], { resume: session })
    expect(second.outcome.kind).toBe('succeeded')
    expect(second.translation).toMatchObject({ session, answer: 'Two.' })
    const history = JSON.stringify(newest()?.body)
    expect(history).toContain('BLUEBERRY')
    expect(history).toContain('One is made.')
    expect(userTexts().at(-1)).toMatch(/^You were interrupted \(a test\): check /)
    // Cumulative over the thread: two requests before, one now.
    expect(second.translation.usage?.inputTokens).toBe(300)
  })

  it('goes on over the app-server where it was begun one-shot, and the other way round', async () => {
    const before = { prompt: 'the word is BLUEBERRY', oneShot: true } as const
    const first = await run([shell('echo 1 > one.txt', 'Making it.'), say('One.')], before)
    expect(first.exit).toEqual({ kind: 'exited', code: 0 })
    const { session } = first.translation
    const second = await run([say('Two.')], { resume: session })
    const third = await run([say('Three.')], { resume: session, oneShot: true })
    for (const [end, answer, inputTokens] of [
      [second, 'Two.', 300],
      [third, 'Three.', 400],
    ] as const) {
      expect(end.outcome.kind).toBe('succeeded')
      expect(end.translation).toMatchObject({ session, answer, usage: { inputTokens } })
    }
    const history = JSON.stringify(newest()?.body)
    for (const words of ['BLUEBERRY', 'One.', 'Two.']) expect(history).toContain(words)
  })

  it('goes on in whichever directory it is resumed', async () => {
    const { session } = (await run([say('One.')], { prompt: 'remember the word birch' }))
      .translation
    const directory = join(root, 'checkout ü')
    execFileSync('git', ['init', '-q', directory])
    const move = { session: session as SessionId, from: workspace, to: directory }
    expect(await codex.planSessionMove?.(move, environment)).toMatchObject({ kind: 'moves' })
    const turns = [shell('echo here > here.txt'), say('Two.')]
    const second = await run(turns, { resume: session, directory, permissions: 'full' })
    expect(second.translation).toMatchObject({ session, answer: 'Two.' })
    expect(userTexts().join(' ')).toContain('birch')
    expect(existsSync(join(directory, 'here.txt'))).toBe(true)
  })

  it('is resumed after Codex was killed in the middle of a command', async () => {
    // The command outlives Codex (its shell is a process session of its own): it ends by itself.
    const waiting = 'touch started; until [ -e ended ]; do sleep 0.01; done; touch over'
    const killed = start([shell(waiting)], { prompt: 'the word is BLUEBERRY' })
    await expect.poll(() => there('started'), { timeout: 120_000 }).toBe(true)
    killed.child.kill('SIGKILL')
    const first = await killed.ended
    writeFileSync(join(workspace, 'ended'), '')
    expect(first.outcome).toMatchObject({
      kind: 'interrupted',
      failure: { code: 'agent_crashed', message: expect.stringContaining('killed by signal 9') },
    })
    const second = await run([say('Back.')], { resume: first.translation.session })
    expect(second.outcome.kind).toBe('succeeded')
    expect(JSON.stringify(newest()?.body)).toContain('BLUEBERRY')
  })

  it('that is unknown is lost, and not waited for', async () => {
    const session = '01a1fd7b-9568-7a40-9cd0-4d62aa8e6c99' as SessionId
    const end = await run([say('never')], { resume: session })
    // The prompt can be given again.
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'session_lost' } })
    expect(turnsOf(model)).toEqual([])
  })

  it('that another Codex still writes is refused, and may be tried again', async () => {
    const hanging = start([{ kind: 'hang' }])
    await expect.poll(() => turnsOf(model).length, { timeout: 120_000 }).toBe(1)
    // It has said so by then; we may not have read it.
    await expect.poll(() => hanging.events.length, { timeout: 120_000 }).toBeGreaterThan(0)
    const [event] = hanging.events
    if (event?.kind !== 'session_started') throw new Error('no session')
    const second = await run([], { resume: event.session })
    expect(second.outcome).toMatchObject({
      kind: 'interrupted',
      failure: { message: expect.stringContaining('already has an active writer') },
    })
  })

  it('ends with its command on SIGINT', async () => {
    const running = start([shell('echo $$ > pid; exec sleep 600')])
    await expect.poll(() => there('pid'), { timeout: 120_000 }).toBe(true)
    expect(codex.capabilities.gracefulSignal).toBe('SIGINT')
    running.child.kill('SIGINT')
    const end = await running.ended
    expect(end.outcome.kind).toBe('interrupted')
    // The sandbox counts processes of its own, so the command is looked for by what it does.
    expect(await waitUntilGone(workspace)).toEqual([])
  })
})

describe('permissions', () => {
  const WRITE = 'echo x > inside.txt; echo x > ../outside.txt; echo x > .git/config.new; true'
  const PATCH =
    "apply_patch <<'EOP'\n*** Begin Patch\n*** Add File: ../patched.txt\n+x\n*** End Patch\nEOP"

  it.each<[PermissionMode, boolean, boolean]>([
    ['read-only', false, false],
    ['workspace', true, false],
    ['full', true, true],
  ])('%s are kept, fresh and resumed', async (permissions, inside, outside) => {
    let session: SessionId | null = null
    for (const attempt of ['fresh', 'resumed']) {
      const turns = [shell(WRITE), shell(PATCH), say('Tried.')]
      const end = await run(turns, { permissions, resume: session })
      session = end.translation.session
      expect(end.outcome.kind, attempt).toBe('succeeded')
      for (const [path, written] of [
        ['inside.txt', inside],
        ['../outside.txt', outside],
        ['../patched.txt', outside],
        ['.git/config.new', outside],
      ] as const) {
        expect([attempt, path, there(path)]).toEqual([attempt, path, written])
        rmSync(join(workspace, path), { force: true })
      }
    }
  })

  it('are those of the resume, not those of the start, however either is run', async () => {
    for (const oneShot of [{}, { oneShot: true }] as const) {
      const first = await run([say('Ready.')], { permissions: 'full' })
      await run([shell(WRITE), say('Tried.')], {
        ...oneShot,
        permissions: 'read-only',
        resume: first.translation.session,
      })
      expect([there('inside.txt'), there('../outside.txt')]).toEqual([false, false])
    }
  })

  it('leave the user’s own settings as they are', async () => {
    const file = join(root, 'codex-home', 'config.toml')
    const text = readFileSync(file, 'utf8')
    const first = await run([say('One.')])
    await run([say('Two.')], { resume: first.translation.session })
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  it('win over a wider mode in the user’s configuration', async () => {
    const file = join(root, 'codex-home', 'config.toml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, `sandbox_mode = "danger-full-access"\napproval_policy = "never"\n${text}`)
    await run([shell(WRITE), say('Tried.')])
    expect([there('inside.txt'), there('../outside.txt')]).toEqual([true, false])
  })

  it('reach over the whole worktree from below its top, fresh and resumed', async () => {
    const directory = join(workspace, 'a "b"')
    mkdirSync(directory)
    let session: SessionId | null = null
    for (const attempt of ['fresh', 'resumed']) {
      const turns = [shell('echo x > ../top.txt; echo x > ../../outside.txt'), say('Tried.')]
      const end = await run(turns, { directory, resume: session })
      session = end.translation.session
      expect([attempt, there('top.txt'), there('../outside.txt')]).toEqual([attempt, true, false])
      rmSync(join(workspace, 'top.txt'))
    }
  })
})

describe('the installation', () => {
  it('is the native binary, not the Node program in front of it', () => {
    expect(installation.program).toMatch(/\/vendor\/[^/]+\/bin\/codex$/)
    expect(installation.version).toBe('0.169.0')
    const head = readFileSync(installation.program).subarray(0, 2).toString('latin1')
    expect(head).not.toBe('#!')
  })

  it('is refused while it is logged out', async () => {
    const empty = join(root, 'empty-home')
    mkdirSync(empty)
    const finding = codex.findInstallation({ ...environment, CODEX_HOME: empty }, [], workspace)
    await expect(finding).rejects.toMatchObject({
      code: 'agent_logged_out',
      message: expect.stringContaining('Not logged in'),
      hint: 'codex login',
    })
  })
})
