/** The client's side of the Agent Client Protocol, against an agent that is played line by line. */
import { describe, expect, it, test } from 'vitest'
import { makeAcpAgent } from '../../src/agents/acp/agent.ts'
import { presets } from '../../src/agents/acp/presets.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import { type PermissionMode, permissionModes } from '../../src/domain/permissions.ts'
import { answerKey, findOpen } from '../../src/domain/question.ts'
import type { Agent, DialogueWishes, LaunchRequest, Utterance } from '../../src/ports/agent.ts'
import { exited } from '../transcripts/recorded.ts'

const PROMPT = 'Fix “it”, $HOME `x` \\ -- --json\n\u2028\ud83d\ude80 \n\n'

interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number }
}

interface Asked {
  readonly preset?: keyof typeof presets
  readonly permissions?: PermissionMode
  readonly asks?: boolean
  readonly resume?: string
  /** Nothing had stopped it, and this is what it goes on with. */
  readonly onlyTold?: string
  readonly model?: string
  readonly effort?: string
}

const NO_WISHES: DialogueWishes = { answers: new Map(), messages: [], interrupt: false }

/** One attempt: what the agent says is given, what is said to it is kept, as an engine does it. */
class Talk {
  readonly agent: Agent
  readonly brief: string
  readonly said = new Set<string>()
  readonly heard: string[] = []
  readonly lines: Message[] = []
  readonly events: AgentEvent[] = []
  state

  constructor({
    preset = 'gemini',
    permissions = 'workspace',
    asks = false,
    ...asked
  }: Asked = {}) {
    this.agent = makeAcpAgent(presets[preset])
    const request: LaunchRequest = {
      installation: {
        program: '/opt/agent',
        leadingArguments: [],
        version: null,
        environment: {},
      },
      mode:
        asked.resume === undefined
          ? { kind: 'fresh', sessionToBe: 'x' }
          : {
              kind: 'resume',
              session: asSessionId(asked.resume),
              why: asked.onlyTold === undefined ? 'killed' : null,
            },
      ...(asked.onlyTold !== undefined && { messages: [asked.onlyTold] }),
      prompt: Buffer.from(PROMPT),
      handOver: null,
      argv: [],
      model: asked.model ?? null,
      effort: asked.effort ?? null,
      permissions: { asked: permissions, effective: permissions, enforcedBy: 'system' },
      asks,
      worktree: '/trees/a',
      workingDirectory: '/trees/a/sub',
      environment: { PATH: '/usr/bin' },
    }
    const launch = this.agent.planLaunch(request)
    this.brief = launch.brief ?? ''
    this.state = this.agent.translator.initial
  }

  /** What it says next, given what was said already. */
  due(wishes = NO_WISHES, said: ReadonlySet<string> = this.said): readonly Utterance[] {
    return this.agent.dialogue?.speak(this.state, this.brief, said, wishes) ?? []
  }

  /** Says what is due; the messages. */
  speak(wishes = NO_WISHES): readonly Message[] {
    const due = this.due(wishes)
    for (const { key, line, events } of due) {
      expect(this.said).not.toContain(key)
      expect(line).not.toMatch(/[\n\r\u2028\u2029]/)
      expect(this.agent.dialogue?.keyOf(line)).toBe(key)
      expect(this.agent.dialogue?.keyOf(line.slice(0, -1))).toBeUndefined()
      this.said.add(key)
      this.events.push(...(events ?? []))
    }
    const messages = due.map(({ line }) => JSON.parse(line) as Message)
    this.lines.push(...messages)
    return messages
  }

  hear(...messages: readonly object[]): this {
    for (const message of messages) {
      const line = JSON.stringify({ jsonrpc: '2.0', ...message })
      this.heard.push(line)
      const { state, events } = this.agent.translator.translate(this.state, line)
      this.state = JSON.parse(JSON.stringify(state)) as typeof state
      this.events.push(...events)
    }
    return this
  }

  /** Answers the request that is due with a result; the request. */
  answer(result: unknown): Message {
    const [request, ...more] = this.speak()
    expect(more).toEqual([])
    if (request?.id === undefined) throw new Error('nothing is asked')
    this.hear({ id: request.id, result })
    return request
  }

  /** Up to the prompt, by an agent of some abilities. */
  begin({
    greeting = GREETING,
    session = SESSION,
  }: {
    greeting?: object
    session?: object
  } = {}): this {
    this.answer(greeting)
    this.answer(session)
    for (let i = 0; i < 5; i++) {
      const [request] = this.speak()
      if (request?.method === 'session/prompt') return this
      this.hear({ id: request?.id, result: {} })
    }
    throw new Error('it never came to the prompt')
  }

  open() {
    return findOpen(this.state.questions ?? [], this.said)
  }

  outcome() {
    const ending = { exit: exited(0), stderr: '', saidAt: 1_795_900_000_000, timeZone: 'UTC' }
    return this.agent.judge(this.state, ending)
  }
}

const GREETING = { protocolVersion: 1, agentCapabilities: { loadSession: true }, authMethods: [] }
const MODES = [
  'default',
  'yolo',
  'plan',
  'bypassPermissions',
  'read-only',
  'workspace-write',
  'agent-full-access',
]
const SESSION = {
  sessionId: 's-1',
  modes: { currentModeId: 'default', availableModes: MODES.map(id => ({ id, name: id })) },
}

const update = (fields: object) => ({
  method: 'session/update',
  params: { sessionId: 's-1', update: fields },
})
const chunk = (text: string, messageId?: string) =>
  update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text }, messageId })

const OPTIONS = [
  { optionId: 'aa', name: 'Always allow', kind: 'allow_always' },
  { optionId: 'a1', name: 'Allow', kind: 'allow_once' },
  { optionId: 'r1', name: 'Reject', kind: 'reject_once' },
  { optionId: 'ra', name: 'Always reject', kind: 'reject_always' },
]

const permission = (
  kind: string,
  { id = 0, options = OPTIONS }: { id?: number | string; options?: object[] } = {},
) => ({
  id,
  method: 'session/request_permission',
  params: {
    sessionId: 's-1',
    toolCall: { toolCallId: `call-${id}`, title: 'rm -rf build', kind },
    options,
  },
})

const selected = (id: number | string, optionId: string) =>
  expect.objectContaining({ id, result: { outcome: { outcome: 'selected', optionId } } })

describe('the order', () => {
  it('is one request at a time, and the prompt comes last, as it was written', () => {
    const talk = new Talk({ preset: 'gemini', model: 'm-1' })
    expect(talk.answer(GREETING)).toMatchObject({
      method: 'initialize',
      params: {
        protocolVersion: 1,
        clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
      },
    })
    expect(talk.due().length).toBe(1)
    const opened = talk.answer(SESSION)
    expect(opened).toMatchObject({
      method: 'session/new',
      params: { cwd: '/trees/a/sub', mcpServers: [] },
    })
    expect(talk.answer({})).toMatchObject({
      method: 'session/set_mode',
      params: { sessionId: 's-1', modeId: 'yolo' },
    })
    expect(talk.answer({})).toMatchObject({
      method: 'session/set_model',
      params: { sessionId: 's-1', modelId: 'm-1' },
    })
    const [prompt, ...more] = talk.speak()
    expect(more).toEqual([])
    if (prompt === undefined) throw new Error('there is no prompt')
    const { prompt: parts } = prompt.params as { prompt: { text: string }[] }
    const text = parts.map(part => part.text).join('')
    expect(Buffer.from(text).subarray(-Buffer.byteLength(PROMPT))).toEqual(Buffer.from(PROMPT))
    expect(talk.events.map(({ kind }) => kind)).toEqual(['session_started', 'turn_started'])
    expect(talk.speak()).toEqual([])
  })

  it('sets model and effort as the session lets it', () => {
    const options = [
      { id: 'm', category: 'model', options: [] },
      { id: 'e', category: 'thought_level', options: [] },
    ]
    const talk = new Talk({ preset: 'opencode-acp', model: 'p/m', effort: 'high' })
    talk.begin({ session: { sessionId: 's-1', configOptions: options } })
    const set = talk.lines.filter(({ method }) => method === 'session/set_config_option')
    expect(set.map(({ params }) => params)).toEqual([
      { sessionId: 's-1', configId: 'm', value: 'p/m' },
      { sessionId: 's-1', configId: 'e', value: 'high' },
    ])
    expect(set[0]?.id).not.toBe(set[1]?.id)
  })

  it('goes on without an effort that nobody can set, and says so', () => {
    const talk = new Talk({ effort: 'high' }).begin()
    expect(talk.events).toContainEqual(expect.objectContaining({ kind: 'warning_given' }))
  })

  it('never works with another model than the one that was asked for', () => {
    const talk = new Talk({ model: 'none' })
    talk.answer(GREETING)
    talk.answer({ sessionId: 's-1' })
    const [request] = talk.speak()
    talk.hear({ id: request?.id, error: { code: -32602, message: 'unknown model' } })
    expect(talk.speak()).toEqual([])
    expect(talk.outcome()).toMatchObject({ kind: 'failed', failure: { code: 'model_error' } })
  })

  it('takes what is said before the prompt for no part of the turn', () => {
    const talk = new Talk()
    talk.answer(GREETING)
    talk.answer(SESSION)
    const [mode] = talk.speak()
    talk.hear(chunk('[MODE_UPDATE] yolo'), { id: mode?.id, result: {} })
    talk.speak()
    talk.hear(chunk('Done.'), { id: 8, result: { stopReason: 'end_turn' } })
    expect(talk.state.answer).toBe('Done.')
  })

  it('logs in where a preset says how, and the agent offers it', () => {
    const agent = makeAcpAgent({ ...presets.cursor, login: 'cursor_login' })
    const talk = Object.assign(new Talk({ preset: 'cursor' }), { agent })
    const brief = JSON.stringify({ ...JSON.parse(talk.brief), login: 'cursor_login' })
    Object.assign(talk, { brief })
    talk.answer({ ...GREETING, authMethods: [{ id: 'other' }, { id: 'cursor_login' }] })
    expect(talk.speak()).toMatchObject([
      { method: 'authenticate', params: { methodId: 'cursor_login' } },
    ])
  })
})

describe('a session that goes on', () => {
  const NOTE = /You were interrupted \(killed\)/
  const textOf = (talk: Talk) => JSON.stringify(talk.lines.at(-1)?.params)

  it('is loaded; its history is told by an earlier attempt, and its prompt is not repeated', () => {
    const talk = new Talk({ resume: 's-1' })
    talk.answer(GREETING)
    const [load] = talk.speak()
    expect(load).toMatchObject({
      method: 'session/load',
      params: { sessionId: 's-1', cwd: '/trees/a/sub' },
    })
    talk.hear(
      update({ sessionUpdate: 'user_message_chunk', content: { type: 'text', text: PROMPT } }),
      chunk('said before'),
      update({ sessionUpdate: 'tool_call', toolCallId: 't', kind: 'edit', status: 'completed' }),
      { id: load?.id, result: null },
    )
    expect(talk.events).toEqual([{ kind: 'session_started', session: 's-1' }])
    talk.speak()
    expect(textOf(talk)).toMatch(NOTE)
    expect(textOf(talk)).not.toContain('Fix')
  })

  it('is loaded, and its history may go on until its mode is set', () => {
    const talk = new Talk({ resume: 's-1' })
    talk.answer(GREETING)
    talk.answer(SESSION)
    const call = { toolCallId: 't', kind: 'execute', title: 'ls', status: 'completed' }
    talk.hear(chunk('said before'), update({ sessionUpdate: 'tool_call', ...call }))
    talk.answer({})
    expect(talk.events).toEqual([{ kind: 'session_started', session: 's-1' }])
    talk.speak()
    talk.hear({ id: 8, result: { stopReason: 'end_turn' } })
    expect(talk.state.answer).toBeNull()
  })

  it('is loaded under its name also where the agent names it nowhere', () => {
    const talk = new Talk({ resume: 's-1', preset: 'goose' })
    talk.answer(GREETING)
    talk.answer(null)
    expect(talk.speak()).toMatchObject([{ method: 'session/prompt', params: { sessionId: 's-1' } }])
  })

  it('is resumed where that is all that the agent can', () => {
    const talk = new Talk({ resume: 's-1' })
    const sessionCapabilities = { resume: {} }
    talk.answer({ protocolVersion: 1, agentCapabilities: { sessionCapabilities } })
    expect(talk.speak()).toMatchObject([{ method: 'session/resume', params: { sessionId: 's-1' } }])
  })

  it('is begun anew, with the whole prompt, where the agent keeps none', () => {
    const talk = new Talk({ resume: 'old' })
    talk.answer({ protocolVersion: 1 })
    expect(talk.answer({ sessionId: 's-1' })).toMatchObject({ method: 'session/new' })
    talk.speak()
    expect(textOf(talk)).toContain('Fix')
    expect(talk.state.session).toBe('s-1')
  })

  it.each([
    [{ code: -32602, message: 'Invalid params: No previous sessions found for this project' }],
    [{ code: -32002, message: 'Resource gone' }],
    [{ code: -32603, message: 'Internal error', data: { details: 'Session not found' } }],
  ])('is lost where the agent knows it no more: %o', error => {
    const talk = new Talk({ resume: 's-1' })
    talk.answer(GREETING)
    const [load] = talk.speak()
    talk.hear({ id: load?.id, error })
    expect(talk.outcome()).toMatchObject({ failure: { code: 'session_lost' } })
  })
})

describe('a request for permission', () => {
  const KINDS = ['read', 'search', 'fetch', 'think', 'edit', 'delete', 'move', 'execute', 'other']
  const READING = KINDS.slice(0, 4)

  describe.each(permissionModes)('with %s permissions', permissions => {
    it.each(KINDS)('for a tool of the kind %s is decided at once', kind => {
      const talk = new Talk({ permissions }).begin().hear(permission(kind))
      const isAllowed = permissions !== 'read-only' || READING.includes(kind)
      expect(talk.speak()).toEqual([selected(0, isAllowed ? 'a1' : 'r1')])
      expect(talk.open()).toEqual([])
      expect(talk.events.filter(event => event.kind === 'action_refused')).toEqual(
        isAllowed
          ? []
          : [
              {
                kind: 'action_refused',
                action: 'rm -rf build',
                why: expect.stringContaining('read-only'),
              },
            ],
      )
    })

    it('of an agent that confines itself leads beyond that, and is refused unless all is allowed', () => {
      for (const kind of KINDS) {
        const talk = new Talk({ preset: 'codex-acp', permissions }).begin().hear(permission(kind))
        expect(talk.speak()).toEqual([selected(0, permissions === 'full' ? 'a1' : 'r1')])
      }
    })
  })

  it.each([
    ['a change of mode', permission('switch_mode')],
    ['no way to allow it', permission('edit', { options: OPTIONS.slice(2) })],
    [
      'options of no kind that we know',
      permission('edit', { options: [{ optionId: 'x', name: 'X' }] }),
    ],
  ])('with %s is for people', (_, request) => {
    const talk = new Talk({ permissions: 'full' }).begin().hear(request)
    expect(talk.speak()).toEqual([])
    expect(talk.open()).toHaveLength(1)
  })

  it('with nothing to choose is nobody’s to answer', () => {
    const talk = new Talk({ asks: true }).begin().hear(permission('edit', { options: [] }))
    expect(talk.speak()).toMatchObject([{ id: 0, result: { outcome: { outcome: 'cancelled' } } }])
    expect(talk.open()).toEqual([])
  })

  it('is never allowed for always where once will do', () => {
    const options = [OPTIONS[0], OPTIONS[3]] as object[]
    const talk = new Talk().begin().hear(permission('edit', { options }))
    expect(talk.speak()).toEqual([selected(0, 'aa')])
  })

  describe('that people are to answer', () => {
    const ask = (id: number | string = 0) =>
      new Talk({ asks: true }).begin().hear(permission('execute', { id }))

    it('is a question, with what it is about and what may be chosen', () => {
      expect(ask().open()).toEqual([
        {
          id: '0',
          text: 'execute: rm -rf build',
          options: OPTIONS.map(({ optionId, name }) => ({ id: optionId, label: name })),
        },
      ])
    })

    it.each([
      ['r1', 'r1'],
      ['aa', 'aa'],
      ['Reject', 'r1'],
      [' always ALLOW\n', 'aa'],
    ])('%j is taken as %s', (words, option) => {
      const talk = ask()
      expect(talk.speak()).toEqual([])
      expect(
        talk.speak({ answers: new Map([['0', words]]), messages: [], interrupt: false }),
      ).toEqual([selected(0, option)])
      expect(talk.open()).toEqual([])
      expect(
        talk.speak({ answers: new Map([['0', 'a1']]), messages: [], interrupt: false }),
      ).toEqual([])
    })

    it.each(['', 'yes', 'allo', 'Allow it'])('%j is no answer, and it stays open', words => {
      const talk = ask()
      expect(
        talk.speak({ answers: new Map([['0', words]]), messages: [], interrupt: false }),
      ).toEqual([])
      expect(talk.open()).toHaveLength(1)
    })

    it('may bear any id, and an answer is for one alone', () => {
      const talk = ask(7).hear(permission('edit', { id: '7' }), permission('edit', { id: 'u-u' }))
      const ids = talk.open().map(({ id }) => id)
      expect(ids).toEqual(['7', '"7"', 'u-u'])
      talk.speak({ answers: new Map([['"7"', 'a1']]), messages: [], interrupt: false })
      expect(talk.lines.at(-1)).toEqual(selected('7', 'a1'))
      expect(talk.open().map(({ id }) => id)).toEqual(['7', 'u-u'])
    })

    it('is over once its call is, or the agent takes it back, or the turn ends', () => {
      const call = update({
        sessionUpdate: 'tool_call_update',
        toolCallId: 'call-1',
        status: 'failed',
      })
      const cancel = { method: '$/cancel_request', params: { requestId: 1 } }
      const end = { id: 8, result: { stopReason: 'end_turn' } }
      for (const message of [call, cancel, end]) {
        expect(ask(1).hear(message).open()).toEqual([])
      }
    })

    it('asks in the mode that asks, and goes no further where there is none', () => {
      const talk = new Talk({ asks: true })
      talk.answer(GREETING)
      talk.answer(SESSION)
      const [mode] = talk.speak()
      expect(mode).toMatchObject({ method: 'session/set_mode', params: { modeId: 'default' } })
      talk.hear({ id: mode?.id, error: { code: -32602, message: 'no such mode' } })
      expect(talk.speak()).toEqual([])
      expect(talk.state.turn?.ok).toBe(false)
    })
  })
})

it('an agent that confines itself hears no prompt before its mode is set', () => {
  const talk = new Talk({ preset: 'codex-acp', permissions: 'read-only' })
  talk.answer(GREETING)
  talk.answer({ sessionId: 's-1' })
  const [mode] = talk.speak()
  expect(mode).toMatchObject({ method: 'session/set_mode', params: { modeId: 'read-only' } })
  talk.hear({ id: mode?.id, error: { code: -32601, message: 'no such method' } })
  expect(talk.speak()).toEqual([])
  expect(talk.outcome().kind).toBe('failed')
})

it('a mode that only spares questions may fail', () => {
  const talk = new Talk({ preset: 'claude-acp' })
  talk.answer(GREETING)
  talk.answer(SESSION)
  const [mode] = talk.speak()
  talk.hear({ id: mode?.id, error: { code: -32602, message: 'not as root' } })
  expect(talk.events.at(-1)).toMatchObject({ kind: 'warning_given' })
  expect(talk.speak()).toMatchObject([{ method: 'session/prompt' }])
})

describe('a form', () => {
  const form = (properties: object) => ({
    id: 1,
    method: 'elicitation/create',
    params: { message: 'Which?', requestedSchema: { type: 'object', properties } },
  })
  test.each([
    [{ branch: { type: 'string' } }, 'main ', { branch: 'main ' }],
    [{ branch: { type: 'string', enum: ['main', 'dev'] } }, 'DEV', { branch: 'dev' }],
    [{ branch: { type: 'string', enum: ['main', 'dev'] } }, 'other', undefined],
    [{ sure: { type: 'boolean' } }, 'yes', { sure: true }],
    [{ sure: { type: 'boolean' } }, 'perhaps', undefined],
    [{ count: { type: 'integer' } }, '3', { count: 3 }],
    [{ count: { type: 'integer' } }, '3.5', undefined],
    [{ a: { type: 'string' }, b: { type: 'number' } }, '{"a":"x","b":1}', { a: 'x', b: 1 }],
    [{ a: { type: 'string' }, b: { type: 'number' } }, '{"c":1}', undefined],
    [{ a: { type: 'string' }, b: { type: 'number' } }, 'x', undefined],
  ])('%j answered with %j', (properties, words, content) => {
    const talk = new Talk({ permissions: 'full' }).begin().hear(form(properties))
    expect(talk.speak()).toEqual([])
    expect(talk.open()).toHaveLength(1)
    const takes = talk.agent.dialogue?.takesAnswer(talk.state, '1', words)
    expect(takes).toBe(content !== undefined)
    const said = talk.speak({ answers: new Map([['1', words]]), messages: [], interrupt: false })
    expect(said).toMatchObject(content ? [{ id: 1, result: { action: 'accept', content } }] : [])
    expect(talk.open()).toHaveLength(content ? 0 : 1)
  })
})

test('what an agent may not ask of us is refused, in the protocol’s words', () => {
  const talk = new Talk({ permissions: 'full' }).begin()
  const methods = ['fs/read_text_file', 'fs/write_text_file', 'terminal/create', '_x/y']
  talk.hear(...methods.map((method, id) => ({ id, method, params: {} })))
  expect(talk.speak().map(({ id, error }) => [id, error?.code])).toEqual(
    methods.map((_, id) => [id, -32601]),
  )
  expect(talk.open()).toEqual([])
})

describe('an interrupt', () => {
  const interrupt = { answers: new Map([['0', 'a1']]), messages: [], interrupt: true }

  it('cancels the turn once, with all that it asks', () => {
    const talk = new Talk({ asks: true }).begin().hear(permission('edit'))
    expect(talk.speak(interrupt)).toMatchObject([
      { method: 'session/cancel', params: { sessionId: 's-1' } },
      { id: 0, result: { outcome: { outcome: 'cancelled' } } },
    ])
    talk.hear(permission('edit', { id: 1 }))
    expect(talk.speak(interrupt)).toMatchObject([
      { id: 1, result: { outcome: { outcome: 'cancelled' } } },
    ])
    talk.hear({ id: 8, result: { stopReason: 'cancelled' } })
    expect(talk.speak(interrupt)).toEqual([])
    expect(talk.outcome().kind).toBe('interrupted')
  })

  it('begins nothing that was not begun', () => {
    const talk = new Talk()
    talk.answer(GREETING)
    talk.answer(SESSION)
    expect(talk.speak(interrupt)).toEqual([])
  })
})

describe('messages', () => {
  const wishes = (...texts: string[]): DialogueWishes => ({
    ...NO_WISHES,
    messages: texts.map((text, i) => ({
      ...{ number: i + 1, text, sentAt: 1, launchedWith: null, heardAt: null },
    })),
  })
  const ENDED = { id: 8, result: { stopReason: 'end_turn', usage: { inputTokens: 5 } } }
  const end = (id: number | string | undefined) => ({ ...ENDED, id })
  const unknown = (id: number | string | undefined) => ({ id, error: { code: -32601 } })

  it.each(['/clear', ' \n/compact', '$deploy'])(
    'are no command of the agent’s, nor is what its session goes on with: %j',
    words => {
      const plain = [{ type: 'text', text: `You are told:\n\n${words}` }]
      const talk = new Talk().begin().hear(chunk('First.'), ENDED)
      expect(talk.speak(wishes(words))[1]).toMatchObject({ params: { prompt: plain } })
      const resumed = new Talk({ resume: 's-0', onlyTold: words }).begin({ session: {} })
      expect(resumed.lines).toContainEqual(
        expect.objectContaining({ params: { sessionId: 's-0', prompt: plain } }),
      )
    },
  )

  it('wait for the end of the turn, and are one prompt then, each whole and in order', () => {
    const talk = new Talk().begin().hear(chunk('First.'))
    const both = wishes('\ufeffone “x” $(y)\u2028\n', 'two')
    expect(talk.speak(both)).toEqual([])
    talk.hear(ENDED)
    const [mark, prompt, ...more] = talk.speak(both)
    expect(more).toEqual([])
    expect(prompt).toMatchObject({
      method: 'session/prompt',
      params: {
        sessionId: 's-1',
        prompt: [{ type: 'text', text: '\ufeffone “x” $(y)\u2028\n\n\ntwo' }],
      },
    })
    // What was left to say of the turn before is none of this one, and nothing is said twice.
    talk.hear(chunk('late'))
    expect([talk.state.answer, talk.state.heard]).toEqual(['First.', undefined])
    expect(talk.speak(wishes('\ufeffone “x” $(y)\u2028\n', 'two', 'three'))).toEqual([])
    talk.hear(unknown(mark?.id))
    expect(talk.state).toMatchObject({ turn: null, answer: null })
    expect(talk.state.heard).toBeUndefined()
    expect(talk.hear(chunk('Second.')).state.heard).toEqual([1, 2])
    talk.hear(end(prompt?.id))
    expect(talk.outcome()).toEqual({ kind: 'succeeded' })
    expect(talk.state).toMatchObject({ answer: 'Second.', usage: { inputTokens: 10 } })
    expect(talk.events.filter(({ kind }) => kind === 'turn_started')).toHaveLength(2)
  })

  it.each([false, true])(
    'are said after a mark that was said before a death of ours (answered: %j), and no later one with them',
    isAnswered => {
      const talk = new Talk().begin().hear(ENDED)
      const [mark] = talk.due(wishes('one', 'two'))
      talk.said.add(mark?.key ?? '')
      const { id } = JSON.parse(mark?.line ?? '')
      if (isAnswered) talk.hear(unknown(id))
      const [prompt, ...more] = talk.speak(wishes('one', 'two', 'three'))
      expect(more).toEqual([])
      expect(prompt).toMatchObject({ params: { prompt: [{ text: 'one\n\ntwo' }] } })
      if (!isAnswered) talk.hear(unknown(id))
      talk.hear(chunk('Yes.'), end(prompt?.id))
      expect(talk.state).toMatchObject({ turn: { ok: true }, heard: [1, 2] })
    },
  )

  it('are heard by an agent that answers nothing it does not know, when it answers them', () => {
    const talk = new Talk().begin().hear(ENDED)
    const [, prompt] = talk.speak(wishes('more'))
    talk.hear(chunk('Second.'), end(prompt?.id))
    expect(talk.state).toMatchObject({ turn: { ok: true }, heard: [1] })
  })

  it('are not heard by a turn that fails at once; that fails the attempt', () => {
    const talk = new Talk().begin().hear(ENDED)
    const [mark, prompt] = talk.speak(wishes('more'))
    const error = { code: -32603, message: 'usage limit reached; try again in 2 days' }
    talk.hear(unknown(mark?.id), { id: prompt?.id, error })
    expect(talk.outcome()).toMatchObject({ kind: 'limited' })
    expect(talk.state.heard).toBeUndefined()
    expect(talk.speak(wishes('more'))).toEqual([])
  })

  it('begin turns that can ask, and be told to stop', () => {
    const talk = new Talk({ asks: true }).begin().hear(ENDED)
    const [mark, prompt] = talk.speak(wishes('more'))
    talk.hear(unknown(mark?.id), permission('edit'))
    expect(talk.state.heard).toEqual([1])
    expect(talk.open()).toHaveLength(1)
    expect(talk.speak({ ...NO_WISHES, interrupt: true })).toMatchObject([
      { method: 'session/cancel' },
      { id: 0, result: { outcome: { outcome: 'cancelled' } } },
    ])
    talk.hear({ id: prompt?.id, result: { stopReason: 'cancelled' } })
    expect(talk.outcome().kind).toBe('interrupted')
  })
})

describe('the end of a turn', () => {
  const end = (result: object, ...before: object[]) =>
    new Talk().begin().hear(...before, { id: 8, result })

  it('is a success with the last message, verbatim', () => {
    const talk = end(
      { stopReason: 'end_turn', usage: { inputTokens: 1, cachedReadTokens: 2, outputTokens: 3 } },
      chunk('first', 'm1'),
      update({
        sessionUpdate: 'tool_call',
        toolCallId: 't',
        title: 'ls',
        kind: 'execute',
        status: 'in_progress',
      }),
      update({ sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'completed' }),
      chunk(' The ', 'm2'),
      chunk('end.\n', 'm2'),
    )
    expect(talk.outcome()).toEqual({ kind: 'succeeded' })
    expect(talk.state).toMatchObject({
      answer: ' The end.\n',
      usage: { inputTokens: 3, cachedInputTokens: 2, outputTokens: 3, costUsd: null },
    })
  })

  it('is a message that is cut where it is long, and every piece beyond costs nothing', () => {
    const talk = new Talk().begin()
    const piece = JSON.stringify({ jsonrpc: '2.0', ...chunk('x'.repeat(10_000)) })
    const { translate } = talk.agent.translator
    let state = talk.state
    for (let i = 0; i < 30; i++) state = translate(state, piece).state
    // Nothing is made anew, and nothing is compared: it may be megabytes, a word at a time.
    expect(translate(state, piece).state).toBe(state)
    const { answer } = translate(
      state,
      JSON.stringify({ id: 8, result: { stopReason: 'end_turn' } }),
    ).state
    expect(answer).toHaveLength(256 * 1024)
    expect(answer).toMatch(/xx\n\[the rest is only in the raw output\]$/)
  })

  it('is not changed by what is said after it', () => {
    const talk = end({ stopReason: 'end_turn' }, chunk('Done.'))
    talk.hear(
      chunk('more'),
      { id: 8, result: { stopReason: 'refusal' } },
      { id: 8, error: { code: 1 } },
    )
    expect(talk.outcome()).toEqual({ kind: 'succeeded' })
    expect(talk.state.answer).toBe('Done.')
    expect(talk.speak()).toEqual([])
  })

  it.each(['max_tokens', 'max_turn_requests', 'refusal', 'something_new', 'constructor'])(
    'is no success by %s',
    stopReason => {
      const talk = end({ stopReason }, chunk('half'))
      expect(talk.outcome()).toMatchObject({ kind: 'failed', failure: { code: 'model_error' } })
      expect(talk.state.answer).toBeNull()
    },
  )

  it('is no success without a reason, nor where Codex says beside it that it failed', () => {
    expect(end({}).outcome().kind).toBe('failed')
    const status = { codex: { threadStatus: { type: 'systemError' } } }
    const broken = update({ sessionUpdate: 'session_info_update', _meta: status })
    const talk = end(
      { stopReason: 'end_turn', usage: null },
      broken,
      chunk('status 503: overloaded'),
    )
    expect(talk.outcome()).toMatchObject({
      kind: 'interrupted',
      failure: { code: 'model_unavailable', message: 'status 503: overloaded' },
    })
  })

  it.each([
    [{ code: -32000, message: 'Authentication required' }, 'auth'],
    [
      {
        code: -32603,
        message: 'Internal error',
        data: { errorKind: 'server_error', message: '500' },
      },
      'model_unavailable',
    ],
    [
      {
        code: -32603,
        message: 'You’ve hit your limit · resets 9:05am (UTC)',
        data: { errorKind: 'rate_limit' },
      },
      'usage_limit',
    ],
    [
      {
        code: -32603,
        message: 'x',
        data: { codexErrorInfo: 'usageLimitExceeded', message: 'try again in 2 days' },
      },
      'usage_limit',
    ],
    [{ code: 429, message: 'Resource has been exhausted' }, 'rate_limited'],
    [{ code: 500, message: 'terminated' }, 'model_unavailable'],
    [{ message: 'We’re currently experiencing high demand' }, 'model_unavailable'],
    [
      {
        message:
          'Cannot connect to API: Unable to connect. Is the computer able to access the url?',
      },
      'model_unavailable',
    ],
    [{ code: -32603, message: 'prompt is too long: 300000 tokens' }, 'context_overflow'],
    [{ code: -32603, message: 'it is a mystery' }, 'model_error'],
    [{}, 'model_error'],
  ])('by the error %j is %s', (error, code) => {
    const talk = new Talk().begin().hear({ id: 8, error })
    expect(talk.outcome()).toMatchObject({ failure: { code } })
    expect(talk.events.at(-1)).toEqual({ kind: 'turn_ended', ok: false })
  })

  it('says when a limit passes', () => {
    const error = { code: -32603, message: 'usage limit reached; try again in 2 days' }
    const outcome = new Talk().begin().hear({ id: 8, error }).outcome()
    expect(outcome).toMatchObject({ kind: 'limited', resetsAt: 1_795_900_000_000 + 172_800_000 })
  })
})

test('another version of the protocol, or none, is no agent that we can talk to', () => {
  for (const greeting of [{ protocolVersion: 2 }, {}, null, 'hello']) {
    const talk = new Talk()
    talk.answer(greeting)
    expect(talk.speak()).toEqual([])
    expect(talk.outcome().kind).toBe('failed')
  }
})

describe('over a death of ours', () => {
  const MESSAGE = { number: 1, text: 'more', sentAt: 1, launchedWith: null, heardAt: null }

  /** A long dialogue, of all sorts, with what was said in it. */
  const dialogue = (preset: keyof typeof presets, asks: boolean) => {
    const talk = new Talk({ preset, asks, model: 'm', effort: 'e' }).begin()
    talk.hear(chunk('a'), permission('edit', { id: 0 }), permission('read', { id: 'x' }))
    talk.speak()
    talk.hear(
      { id: 5, method: 'fs/read_text_file', params: {} },
      permission('switch_mode', { id: 6 }),
    )
    talk.speak({
      answers: new Map([
        ['6', 'a1'],
        ['0', 'r1'],
      ]),
      messages: [],
      interrupt: false,
    })
    talk.hear(chunk('b'), { id: 8, result: { stopReason: 'end_turn' } })
    const [mark, prompt] = talk.speak({ ...NO_WISHES, messages: [MESSAGE] })
    talk.hear({ id: mark?.id, error: {} }, chunk('c'))
    talk.speak({ answers: new Map(), messages: [], interrupt: true })
    talk.hear({ id: prompt?.id, result: { stopReason: 'cancelled' } })
    return talk
  }

  it.each(['gemini', 'claude-acp', 'codex-acp', 'opencode-acp'] as const)(
    '%s: from any part of what was heard, and with any part of what was said, nothing is said twice',
    preset => {
      for (const asks of [false, true]) {
        const { heard, said } = dialogue(preset, asks)
        const keys = [...said]
        const again = new Talk({ preset, asks, model: 'm', effort: 'e' })
        for (const line of ['', ...heard]) {
          again.state = again.agent.translator.translate(again.state, line).state
          // Every subset of the keys, as far as that are few.
          for (let mask = 0; mask < 2 ** Math.min(keys.length, 8); mask++) {
            const known = new Set(keys.filter((_, i) => (mask >> (i % 8)) & 1))
            for (const interrupt of [false, true]) {
              const due = again.due(
                { answers: new Map([['6', 'a1']]), messages: [MESSAGE], interrupt },
                known,
              )
              const all = due.map(({ key }) => key)
              const isTwice = all.some((key, i) => known.has(key) || all.indexOf(key) !== i)
              if (isTwice) expect.fail(`${all} of which were said: ${[...known]}`)
            }
          }
        }
      }
    },
  )

  it('a torn line is known as nothing, and a whole one by its key', () => {
    const { agent } = new Talk()
    const keyOf = (line: string) => agent.dialogue?.keyOf(line)
    expect(keyOf('')).toBeUndefined()
    expect(keyOf('{"jsonrpc":"2.0","id":8,"meth')).toBeUndefined()
    expect(keyOf('{"jsonrpc":"2.0","id":8,"method":"session/prompt"}')).toBe('prompt')
    expect(keyOf('{"jsonrpc":"2.0","id":3,"result":{}}')).toBe(answerKey('3'))
  })
})
