/**
 * The adapter for the Agent Client Protocol against real agents, with the scripted model behind
 * them. They run as plain children, unconfined: only the adapter is under test.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { makeAcpAgent } from '../../src/agents/acp/agent.ts'
import { presets } from '../../src/agents/acp/presets.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import type { Message } from '../../src/domain/message.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import { findOpen } from '../../src/domain/question.ts'
import type { AgentLaunch, Translation } from '../../src/ports/agent.ts'
import { loadConfinement } from '../../src/process/confinement/confinement.ts'
import { canConfine } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { type Command, commands } from './acp-commands.ts'
import { made, type Scene, setScene } from './alone.ts'
import { turnsOf } from './turns.ts'

interface Wish {
  readonly prompt?: string
  readonly permissions?: PermissionMode
  readonly asks?: boolean
  readonly resume?: SessionId
  /** The system's confinement is put around it. */
  readonly confined?: boolean
}

interface Talk {
  readonly events: readonly AgentEvent[]
  state(): Translation
  /** What waits for an answer. */
  questions(): ReturnType<typeof findOpen>
  answer(question: string, words: string): void
  interrupt(): void
  send(text: string): void
  kill(): Promise<unknown>
  /** Waits for the end of the turn, and ends the agent as the engine does. */
  ended(): Promise<{ readonly outcome: ReturnType<ReturnType<typeof makeAcpAgent>['judge']> }>
}

const children: ReturnType<typeof spawn>[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function talkTo(
  name: keyof typeof presets,
  scene: Scene,
  command: Command,
  {
    prompt = 'Make made.txt',
    permissions = 'workspace',
    asks = false,
    resume,
    confined = false,
  }: Wish = {},
): Promise<Talk> {
  const agent = makeAcpAgent(presets[name])
  const { dialogue, translator } = agent
  if (dialogue === undefined) throw new Error('it is not talked to')
  const environment = {
    ...scene.environment,
    ...command.environment,
    PATH: `${dirname(command.argv[0] ?? '')}:${scene.environment.PATH}`,
  }
  const launch = agent.planLaunch({
    installation: await agent.findInstallation(environment, [], scene.workspace),
    mode: resume
      ? { kind: 'resume', session: resume, why: 'killed' }
      : { kind: 'fresh', sessionToBe: '' },
    prompt: Buffer.from(prompt),
    handOver: null,
    argv: [],
    model: null,
    effort: null,
    permissions: { asked: permissions, effective: permissions, enforcedBy: 'none' },
    asks,
    worktree: scene.workspace,
    workingDirectory: scene.workspace,
    environment,
  })
  const around = confined ? await enclose(scene, launch, permissions) : []
  const [program = '', ...args] = [...around, ...launch.argv]
  const child = spawn(program, args, { cwd: scene.workspace, env: launch.environment })
  children.push(child)
  const exited = once(child, 'exit')
  const events: AgentEvent[] = []
  const said = new Set<string>()
  const answers = new Map<string, string>()
  const messages: Message[] = []
  let interrupt = false
  let state = translator.initial
  let rest = ''
  let stderr = ''
  const speak = () => {
    for (const one of dialogue.speak(state, launch.brief ?? '', said, {
      answers,
      messages: messages.filter(({ number }) => !state.heard?.includes(number)),
      interrupt,
    })) {
      said.add(one.key)
      events.push(...(one.events ?? []))
      child.stdin.write(`${one.line}\n`)
    }
  }
  child.stdin.on('error', () => undefined)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const translated = translator.translate(state, line)
      state = translated.state
      events.push(...translated.events)
    }
    speak()
  })
  speak()
  return {
    events,
    state: () => state,
    questions: () => findOpen(state.questions ?? [], said),
    answer(question, words) {
      answers.set(question, words)
      speak()
    },
    interrupt() {
      interrupt = true
      speak()
    },
    send(text) {
      const number = messages.length + 1
      messages.push({ number, text, sentAt: 0, launchedWith: null, heardAt: null })
      speak()
    },
    kill() {
      child.kill('SIGKILL')
      return exited
    },
    async ended() {
      await eventually(
        'its turn ends',
        () => state.turn !== null || child.exitCode !== null,
        100_000,
      )
      child.kill('SIGTERM')
      const killing = setTimeout(() => child.kill('SIGKILL'), 15_000)
      const [code] = await exited
      clearTimeout(killing)
      const exit =
        code === null
          ? ({ kind: 'signalled', signal: 15 } as const)
          : ({ kind: 'exited', code } as const)
      const ending = { exit, stderr, saidAt: Date.now(), timeZone: 'UTC' }
      return { outcome: agent.judge(state, ending) }
    },
  }
}

async function enclose(scene: Scene, launch: AgentLaunch, mode: PermissionMode) {
  if (mode === 'full') throw new Error('nothing confines that')
  const root = dirname(scene.workspace)
  const isSandboxed = async () => false
  mkdirSync(join(root, 'state'), { recursive: true })
  const confinement = await loadConfinement({
    home: join(root, 'state'),
    toolPath: process.env.PATH ?? '',
    isSandboxed,
  })
  const { argv } = await confinement.enclose({
    mode,
    worktree: scene.workspace,
    commonDir: join(scene.workspace, '.git'),
    workingDirectory: scene.workspace,
    program: launch.argv[0],
    environment: launch.environment,
    scratch: join(root, 'scratch'),
    own: launch.own ?? { readable: [], writable: [] },
  })
  return argv
}

/** Longer than any test takes to cut it short. */
const SLOW: Turn = { kind: 'reply', text: 'slow '.repeat(900), chunks: 900, chunkMs: 100 }
const TWO = [shell('echo hello > made.txt', 'Making it.'), say('It is made.')]

describe.each([
  ['claude-acp', 'claude-agent-acp'],
  ['codex-acp', 'codex-acp'],
  ['opencode-acp', 'opencode'],
  ['gemini', 'gemini'],
] as const)('%s', (name, program) => {
  const prepare = commands[program]
  if (prepare === undefined) throw new Error(program)
  const asksByItself = name !== 'codex-acp'

  it('does its work, and says so', async () => {
    const scene = await setScene(TWO)
    // Where the adapter may not say it, the test is of full permissions: no confinement is around it.
    const talk = await talkTo(name, scene, await prepare(scene), { permissions: 'full' })
    const { outcome } = await talk.ended()
    expect(outcome).toEqual({ kind: 'succeeded' })
    expect(made(scene)).toBe('hello\n')
    expect(talk.state()).toMatchObject({
      answer: 'It is made.',
      usage: { inputTokens: expect.any(Number) },
    })
    expect(talk.events).toEqual(
      expect.arrayContaining([
        { kind: 'session_started', session: talk.state().session },
        { kind: 'turn_started' },
        { kind: 'message_ended', text: 'Making it.' },
        expect.objectContaining({ kind: 'command_ended', command: 'echo hello > made.txt' }),
        { kind: 'message_ended', text: 'It is made.' },
        { kind: 'turn_ended', ok: true },
      ]),
    )
    expect(JSON.stringify(turnsOf(scene.model).at(-1)?.body)).toContain('Make made.txt')
  })

  it.runIf(asksByItself).each(['allow', 'reject'])(
    'asks, and does as it is told: %s',
    async words => {
      const scene = await setScene(TWO)
      const command = await prepare(scene)
      // Without the rule that asks, which its home has otherwise.
      if (name === 'opencode-acp') await writeOpenCodeHome(scene.home, scene.model.url)
      const talk = await talkTo(name, scene, command, { asks: true })
      const [question] = await eventually(
        'it asks',
        () => {
          const open = talk.questions()
          return open.length > 0 && open
        },
        100_000,
      )
      expect(question?.text).toContain('echo hello > made.txt')
      expect(made(scene)).toBeUndefined()
      const option = question?.options.find(({ id, label }) =>
        words === 'allow'
          ? /once|^allow$/i.test(`${label}`)
          : /reject|deny|cancel|^no/i.test(`${id} ${label}`),
      )
      talk.answer(question?.id ?? '', 'what?')
      expect(talk.questions()).toHaveLength(1)
      talk.answer(question?.id ?? '', option?.label ?? `none of ${JSON.stringify(question)}`)
      expect(talk.questions()).toEqual([])
      const { outcome } = await talk.ended()
      expect(outcome.kind).toBe('succeeded')
      expect(made(scene)).toBe(words === 'allow' ? 'hello\n' : undefined)
      expect(talk.events.some(({ kind }) => kind === 'action_refused')).toBe(words === 'reject')
    },
  )

  it('reads only, where it may do no more', async () => {
    const scene = await setScene(TWO)
    const talk = await talkTo(name, scene, await prepare(scene), { permissions: 'read-only' })
    await talk.ended()
    expect(made(scene)).toBeUndefined()
  })

  it('is told more after its turn, and stops that when it is told to', async () => {
    const scene = await setScene([say('Done.'), SLOW])
    const talk = await talkTo(name, scene, await prepare(scene), { permissions: 'full' })
    await eventually('its turn is over', () => talk.state().turn?.ok, 100_000)
    talk.send('and now “more”')
    await eventually(
      'it speaks',
      () => JSON.stringify(talk.state().own ?? '').includes('slow'),
      100_000,
    )
    expect(talk.state()).toMatchObject({ heard: [1], turn: null })
    expect(JSON.stringify(turnsOf(scene.model).at(-1)?.body)).toContain('and now “more”')
    talk.interrupt()
    const { outcome } = await talk.ended()
    expect(talk.state().turn).toEqual({ ok: false, message: 'the turn was cancelled' })
    expect(outcome.kind).toBe('interrupted')
  })

  it.runIf(canConfine && name !== 'codex-acp')(
    'within the system’s confinement does its work, and goes on in its session',
    async () => {
      const scene = await setScene([...TWO, say('It was made before.')])
      const command = await prepare(scene)
      const first = await talkTo(name, scene, command, { confined: true })
      expect((await first.ended()).outcome).toEqual({ kind: 'succeeded' })
      expect(made(scene)).toBe('hello\n')
      await command.beforeLoad?.()
      const resume = first.state().session ?? undefined
      const second = await talkTo(name, scene, command, {
        ...(resume && { resume }),
        confined: true,
        permissions: 'read-only',
      })
      expect((await second.ended()).outcome).toEqual({ kind: 'succeeded' })
      expect(second.state()).toMatchObject({ session: resume, answer: 'It was made before.' })
      expect(JSON.stringify(turnsOf(scene.model).at(-1)?.body)).toContain('Make made.txt')
    },
  )

  it('killed with -9, goes on in its session, with what it knew', async () => {
    const scene = await setScene([shell('echo hello > made.txt'), SLOW, say('It was made before.')])
    const command = await prepare(scene)
    const first = await talkTo(name, scene, command, { permissions: 'full' })
    await eventually(
      'it speaks',
      () => JSON.stringify(first.state().own ?? '').includes('slow'),
      100_000,
    )
    await first.kill()
    await command.beforeLoad?.()
    const session = first.state().session
    if (session === null) throw new Error('it has no session')
    const second = await talkTo(name, scene, command, { permissions: 'full', resume: session })
    const { outcome } = await second.ended()
    expect(outcome).toEqual({ kind: 'succeeded' })
    expect(second.state()).toMatchObject({ session, answer: 'It was made before.' })
    const body = JSON.stringify(turnsOf(scene.model).at(-1)?.body)
    expect(body).toContain('Make made.txt')
    expect(body).toContain('You were interrupted')
    expect(second.events.filter(({ kind }) => kind === 'command_ended')).toEqual([])
  })
})
