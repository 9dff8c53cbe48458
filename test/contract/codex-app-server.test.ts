/** Our side of a dialogue with Codex, against an app-server that is played line by line. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codex, DIALOGUE_VERSION } from '../../src/agents/codex/agent.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { Message } from '../../src/domain/message.ts'
import type { FailureCode } from '../../src/domain/outcome.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import { findOpen } from '../../src/domain/question.ts'
import type { DialogueWishes, LaunchRequest, Translation } from '../../src/ports/agent.ts'
import { endingOf, exited } from '../transcripts/recorded.ts'

const { dialogue, translator } = codex
if (dialogue === undefined) throw new Error('Codex can be talked to')

const T = 'thread-1'
const message = (number: number, text = `words ${number}`): Message => ({
  ...{ number, text, sentAt: 0, launchedWith: null, heardAt: null },
})

interface Asked {
  readonly version?: string | null
  readonly permissions?: PermissionMode
  readonly enforcedBy?: 'agent' | 'system'
  readonly asks?: boolean
  readonly resume?: boolean
  readonly oneShot?: true
}

function plan({ version = '0.169.0', permissions = 'workspace', ...asked }: Asked = {}) {
  const request: LaunchRequest = {
    installation: { program: '/opt/codex', leadingArguments: [], version, environment: {} },
    mode: asked.resume
      ? { kind: 'resume', session: asSessionId(T), why: 'killed' }
      : { kind: 'fresh', sessionToBe: 'x' },
    prompt: Buffer.from('\ufeffFix it'),
    handOver: null,
    argv: [],
    model: 'spark',
    effort: 'high',
    permissions: {
      asked: permissions,
      effective: permissions,
      enforcedBy: asked.enforcedBy ?? 'agent',
    },
    asks: asked.asks ?? false,
    ...(asked.oneShot && { oneShot: true }),
    outputSchema: { json: '{"type":"object"}', file: '/schema' },
    worktree: '/w',
    workingDirectory: '/w/sub',
    environment: { HOME: '/home/dev' },
  }
  return codex.planLaunch(request)
}

/** One attempt: what Codex says is given, what is said to it is kept, as an engine does it. */
class Talk {
  readonly brief: string
  readonly said = new Map<string, Record<string, unknown>>()
  readonly refused: string[] = []
  readonly warnings: string[] = []
  readonly answers = new Map<string, string>()
  messages: Message[] = []
  interrupt = false
  state: Translation = translator.initial

  constructor(asked: Asked = {}) {
    this.brief = plan(asked).brief ?? ''
    this.speak()
  }

  hear(...lines: object[]): this {
    for (const line of lines) {
      const { state, events } = translator.translate(this.state, JSON.stringify(line))
      this.state = state
      for (const event of events) {
        if (event.kind === 'warning_given') this.warnings.push(event.message)
      }
      this.speak()
    }
    return this
  }

  speak(): readonly string[] {
    const wishes: DialogueWishes = {
      answers: this.answers,
      messages: this.messages.filter(({ number }) => !this.state.heard?.includes(number)),
      interrupt: this.interrupt,
    }
    const due = dialogue?.speak(this.state, this.brief, new Set(this.said.keys()), wishes) ?? []
    for (const { key, line, events = [] } of due) {
      expect([key, this.said.has(key)]).toEqual([key, false])
      expect(dialogue?.keyOf(line)).toBe(key)
      expect(dialogue?.keyOf(line.slice(0, -3))).toBeUndefined()
      this.said.set(key, JSON.parse(line))
      for (const event of events) if (event.kind === 'action_refused') this.refused.push(event.why)
    }
    return due.map(({ key }) => key)
  }

  /** To the middle of its first turn. */
  begin(): this {
    return this.hear(
      { id: 'initialize', result: {} },
      { id: 'thread', result: { thread: { id: T } } },
      { id: 'turn', result: { turn: { id: 'turn-1' } } },
      started('turn-1'),
      isShown('turn'),
    )
  }

  questions() {
    return findOpen(this.state.questions ?? [], new Set(this.said.keys()))
  }
}

const started = (id: string, threadId = T) => ({
  ...{ method: 'turn/started', params: { threadId, turn: { id } } },
})
const completed = (id: string, turn: object = { status: 'completed' }, threadId = T) => ({
  ...{ method: 'turn/completed', params: { threadId, turn: { id, ...turn } } },
})
const isShown = (clientId: string | null) => ({
  ...{ method: 'item/completed', params: { threadId: T, item: { type: 'userMessage', clientId } } },
})
const isHeard = (number: number) => isShown(`message:${number}`)
const params = (talk: Talk, key: string) => talk.said.get(key)?.params

describe('how Codex is launched', () => {
  it('by its version: an older one, or one that does not say, is given its prompt alone', () => {
    for (const version of ['0.162.9', null]) {
      const { argv, brief } = plan({ version })
      expect([argv[1], brief]).toEqual(['exec', undefined])
      expect(() => plan({ version, asks: true })).toThrow(/cannot ask while it works/)
    }
    expect(plan({ oneShot: true }).argv[1]).toBe('exec')
    expect(plan({ version: DIALOGUE_VERSION }).argv[1]).toBe('app-server')
  })

  it.each([
    ['read-only', 'agent', 'sandbox_mode="read-only"'],
    ['workspace', 'agent', 'sandbox_mode="workspace-write"'],
    ['full', 'agent', 'sandbox_mode="danger-full-access"'],
    // Whoever is held from outside needs no sandbox of its own.
    ['read-only', 'system', 'sandbox_mode="danger-full-access"'],
  ] as const)('with %s permissions, held by: %s', (permissions, enforcedBy, setting) => {
    const { argv, own } = plan({ permissions, enforcedBy, asks: enforcedBy === 'system' })
    expect(argv.filter(word => word.startsWith('sandbox_mode'))).toEqual([setting])
    expect(argv).toContain('approval_policy="never"')
    expect(argv.some(word => word.includes('writable_roots=["/w"]'))).toBe(
      permissions === 'workspace',
    )
    // Held from outside it opens this one to write to it at each start, and else writes nothing.
    const opened = enforcedBy === 'system' ? ['/home/dev/.codex/installation_id'] : []
    expect(own?.writable ?? []).toEqual(opened)
  })
})

describe('what is said to Codex', () => {
  it('is a greeting, a thread and the prompt, each once, and each after the answer to the one before', () => {
    const talk = new Talk()
    expect([...talk.said.keys()]).toEqual(['initialize'])
    talk.hear({ id: 'initialize', result: {} })
    expect([...talk.said.keys()]).toEqual(['initialize', 'initialized', 'thread'])
    // A directory that is named is written down as trusted, in the user's own settings.
    expect(params(talk, 'thread')).toEqual({ model: 'gpt-5.3-codex-spark' })
    talk.hear({ id: 'thread', result: { thread: { id: T } } })
    expect(params(talk, 'turn')).toMatchObject({
      threadId: T,
      effort: 'high',
      outputSchema: { type: 'object' },
      input: [{ type: 'text', text: expect.stringMatching(/\ufeffFix it$/) }],
    })
    talk.begin()
    expect(talk.said.size).toBe(4)
  })

  it('names the permissions of a thread that goes on: of itself it would keep those of its start', () => {
    const talk = new Talk({ resume: true, permissions: 'read-only' })
    talk.hear({ id: 'initialize', result: {} })
    expect(params(talk, 'thread')).toMatchObject({
      ...{ threadId: T, sandbox: 'read-only', approvalPolicy: 'never', cwd: '/w/sub' },
    })
    const asking = new Talk({ resume: true, asks: true, enforcedBy: 'system' })
    asking.hear({ id: 'initialize', result: {} })
    expect(params(asking, 'thread')).toMatchObject({
      ...{ sandbox: 'danger-full-access', approvalPolicy: 'untrusted', approvalsReviewer: 'user' },
    })
  })

  it('is a message in mid-turn, and after the turn that it came too late for', () => {
    const talk = new Talk().begin()
    talk.messages = [message(1), message(2)]
    expect(talk.speak()).toEqual(['message:1', 'message:2'])
    expect(params(talk, 'message:1')).toMatchObject({
      ...{ threadId: T, clientUserMessageId: 'message:1', outputSchema: { type: 'object' } },
    })
    talk.hear({ id: 'message:1', result: { turn: { id: 'turn-1' } } }, isHeard(1))
    expect(talk.state.heard).toEqual([1])
    // Taken by the turn, and not in it at its end.
    talk.hear({ id: 'message:2', result: { turn: { id: 'turn-1' } } }, completed('turn-1'))
    expect([...talk.said.keys()].slice(-1)).toEqual(['message:2/1'])
    talk.hear({ id: 'message:2/1', result: { turn: { id: 'turn-2' } } })
    expect(talk.state.turn).toEqual({ ok: true })
    talk.hear(started('turn-2'), isHeard(2))
    expect(talk.state).toMatchObject({ turn: null, heard: [1, 2] })
    talk.hear(completed('turn-2'))
    expect(talk.said.size).toBe(7)
  })

  it('is what was refused again, once the turn is over, and not for ever', () => {
    const talk = new Talk().begin()
    talk.messages = [message(7)]
    talk.speak()
    const refusal = { error: { code: -32600, message: 'no' } }
    talk.hear({ id: 'message:7', ...refusal })
    expect(talk.said.has('message:7/1')).toBe(false)
    talk.hear(completed('turn-1'))
    expect(talk.said.has('message:7/1')).toBe(true)
    talk.hear({ id: 'message:7/1', ...refusal }, { id: 'message:7/2', ...refusal })
    expect(talk.state.turn).toMatchObject({ ok: false, message: expect.stringContaining('no') })
  })

  it('is what a hook keeps from the model not for ever: the log says so, and the turn before it stands', () => {
    const talk = new Talk().begin()
    const answer = { type: 'agentMessage', text: 'The answer.' }
    talk.hear({ method: 'item/completed', params: { threadId: T, item: answer } })
    talk.messages = [message(1), message(2)]
    talk.speak()
    talk.hear(
      { id: 'message:1', result: { turn: { id: 'turn-1' } } },
      // Codex may say that it has taken one when the turn that took it is over.
      ...[completed('turn-1'), { id: 'message:2', result: { turn: { id: 'turn-1' } } }],
    )
    for (const [id, key] of [
      ['turn-2', 'message:1/1'],
      ['turn-3', 'message:2/1'],
      ['turn-4', 'message:1/2'],
    ] as const) {
      expect(talk.said.has(key)).toBe(true)
      talk.hear({ id: key, result: { turn: { id } } }, started(id), completed(id))
      expect(talk.state).toMatchObject({ answer: 'The answer.', turn: { ok: true } })
    }
    expect(talk.state.heard).toEqual([1])
    expect(talk.warnings).toEqual([expect.stringMatching(/^message 1 was said 3 times/)])
    talk.hear({ id: 'message:2/2', result: { turn: { id: 'turn-5' } } }, started('turn-5'))
    const said = [...talk.said.keys()]
    talk.hear(isHeard(2), completed('turn-5'))
    expect(talk.state).toMatchObject({ answer: null, turn: { ok: true }, heard: [1, 2] })
    expect([...talk.said.keys()]).toEqual(said)
  })

  it('is an interrupt only of a turn that has begun, once, and nothing new then', () => {
    const early = new Talk()
    early.interrupt = true
    early.hear({ id: 'initialize', result: {} })
    expect([...early.said.keys()]).toEqual(['initialize'])
    const talk = new Talk().begin()
    talk.messages = [message(1)]
    talk.interrupt = true
    expect(talk.speak()).toEqual(['interrupt'])
    expect(params(talk, 'interrupt')).toEqual({ threadId: T, turnId: 'turn-1' })
    expect(talk.speak()).toEqual([])
    talk.hear({ id: 'interrupt', result: {} }, completed('turn-1', { status: 'interrupted' }))
    expect(codex.judge(talk.state, endingOf(exited(0)))).toMatchObject({ kind: 'interrupted' })
  })
})

describe('what Codex asks', () => {
  const asks = (id: number | string, method: string, more: object = {}) => ({
    ...{ id, method, params: { threadId: T, itemId: `item-${id}`, ...more } },
  })
  const COMMAND = 'item/commandExecution/requestApproval'
  const EDIT = 'item/fileChange/requestApproval'

  it.each<[string, object, unknown]>([
    [COMMAND, { command: 'rm -rf /' }, { decision: 'decline' }],
    [EDIT, {}, { decision: 'decline' }],
    ['item/permissions/requestApproval', {}, { permissions: {}, scope: 'turn' }],
    ['mcpServer/elicitation/request', { message: 'who?' }, { action: 'decline' }],
    ['item/tool/requestUserInput', { questions: [{ id: 'q' }] }, { answers: {} }],
  ])('is answered at once where nobody is to be asked: %s', (method, more, result) => {
    const talk = new Talk().begin().hear(asks(0, method, more))
    expect(talk.said.get('answer:0')?.result).toMatchObject(result as object)
    expect(talk.questions()).toEqual([])
    expect(talk.refused).toEqual(
      method.includes('UserInput') ? [] : ['the task has workspace permissions'],
    )
  })

  it('is answered with an error where we do not know it, also if its id is a word', () => {
    for (const method of ['item/tool/call', 'execCommandApproval', 'new/thing']) {
      const talk = new Talk({ asks: true, enforcedBy: 'system' }).begin().hear(asks('7', method))
      expect(talk.said.get('answer:"7"')).toMatchObject({ id: '7', error: { code: -32601 } })
    }
  })

  it('is a question for people with --ask, about what it says, until it is answered or over', () => {
    const talk = new Talk({ asks: true, enforcedBy: 'system' }).begin()
    const edit = {
      type: 'fileChange',
      id: 'item-1',
      changes: [{ path: '/w/a' }],
      status: 'declined',
    }
    talk.hear(
      asks(0, COMMAND, { command: 'make', reason: 'to build' }),
      { method: 'item/started', params: { threadId: T, item: edit } },
      asks(1, EDIT),
      asks(2, 'item/permissions/requestApproval'),
      asks(3, 'mcpServer/elicitation/request', {
        ...{ serverName: 'files', message: 'how many?' },
        requestedSchema: { properties: { count: { type: 'integer' } } },
      }),
    )
    expect(talk.questions().map(({ text }) => text)).toEqual([
      ...['make\nto build', 'change /w/a', 'files: how many? [a whole number]'],
    ])
    expect(talk.said.get('answer:2')?.result).toEqual({ permissions: {}, scope: 'turn' })
    for (const [id, words] of [
      ['0', 'maybe'],
      ['1', 'refuse'],
      ['3', 'many'],
    ] as const) {
      talk.answers.set(id, words)
      expect(dialogue.takesAnswer(talk.state, id, words)).toBe(id === '1')
    }
    expect(talk.speak()).toEqual(['answer:1'])
    talk.answers.set('3', '3').set('0', ' ALLOW ')
    talk.speak()
    expect(talk.said.get('answer:0')?.result).toEqual({ decision: 'accept' })
    expect(talk.said.get('answer:3')?.result).toMatchObject({ content: { count: 3 } })
    expect(talk.refused).toEqual(['the task has workspace permissions', 'Refuse'])
    // Told once, and not again with the step that was refused.
    const line = { method: 'item/completed', params: { threadId: T, item: edit } }
    expect(translator.translate(talk.state, JSON.stringify(line)).events).toEqual([])

    talk.hear(asks(4, COMMAND, { command: 'late' }))
    expect(talk.questions()).toHaveLength(1)
    talk.hear({ method: 'serverRequest/resolved', params: { threadId: T, requestId: 4 } })
    expect(talk.questions()).toEqual([])
    talk.answers.set('4', 'Allow')
    expect(talk.speak()).toEqual([])
  })
})

describe('what proves an end', () => {
  it('is said of our own thread: a sub-agent ends no turn of ours', () => {
    const talk = new Talk().begin()
    talk.hear(started('other', 'thread-2'), completed('other', { status: 'completed' }, 'thread-2'))
    expect(talk.state.turn).toBeNull()
    expect(talk.hear(completed('turn-1')).state.turn).toEqual({ ok: true })
  })

  it('is a status that says so, and no other', () => {
    for (const status of ['failed', 'interrupted', 'inProgress', 'x']) {
      const talk = new Talk().begin().hear(completed('turn-1', { status }))
      expect([status, talk.state.turn?.ok]).toEqual([status, false])
    }
    expect(new Talk().begin().hear(completed('turn-1', {})).state.turn).toBeNull()
  })

  it('is none where its model was never given the prompt', () => {
    const unshown = () =>
      new Talk().hear(
        { id: 'initialize', result: {} },
        { id: 'thread', result: { thread: { id: T } } },
        { id: 'turn', result: { turn: { id: 'turn-1' } } },
        started('turn-1'),
      )
    const judge = ({ state }: Talk) => codex.judge(state, endingOf(exited(0)))
    const hook = (eventName: string, status: string) => {
      const run = { eventName, status, entries: [{ kind: 'feedback', text: 'status 401, my way' }] }
      return { method: 'hook/completed', params: { threadId: T, run } }
    }
    // Whatever words a hook uses, they are not the provider's.
    expect(judge(unshown().hear(hook('userPromptSubmit', 'blocked'), completed('turn-1')))).toEqual(
      expect.objectContaining({
        kind: 'failed',
        failure: {
          code: 'model_error',
          message: 'a hook kept the prompt back: status 401, my way',
        },
      }),
    )
    const silent = unshown().hear(hook('preToolUse', 'blocked'), completed('turn-1'))
    expect(judge(silent)).toMatchObject({
      failure: { code: 'model_error', message: expect.not.stringContaining('my way') },
    })
    // A Codex that does not say names back, one that has answered, and a turn that is not the prompt's.
    const answer = {
      method: 'item/completed',
      params: { threadId: T, item: { type: 'agentMessage', text: 'Done.' } },
    }
    for (const line of [isShown(null), isShown('turn'), answer]) {
      expect(judge(unshown().hear(line, completed('turn-1')))).toEqual({ kind: 'succeeded' })
    }
    const goal = new Talk().begin().hear(completed('turn-1'), started('goal'), completed('goal'))
    expect(judge(goal)).toEqual({ kind: 'succeeded' })
  })

  it('is not there while it works towards a goal of its own', () => {
    const goal = (status: string) => ({
      ...{ method: 'thread/goal/updated', params: { threadId: T, goal: { status } } },
    })
    const talk = new Talk().begin().hear(goal('active'), completed('turn-1'))
    expect(dialogue.goesOn?.(talk.state)).toBe(true)
    expect(dialogue.goesOn?.(talk.hear(goal('complete')).state)).toBe(false)
  })
})

describe('why it failed', () => {
  const failed = (info: unknown, words = 'no') =>
    completed('turn-1', { status: 'failed', error: { message: words, codexErrorInfo: info } })
  const limits = (primary: object | null, secondary: object | null, limitId = 'codex') => ({
    method: 'account/rateLimits/updated',
    params: { rateLimits: { limitId, primary, secondary } },
  })
  const judge = (talk: Talk) => codex.judge(talk.state, endingOf(exited(0)))

  it.each<[unknown, FailureCode, string?]>([
    ['contextWindowExceeded', 'context_overflow'],
    ['serverOverloaded', 'model_unavailable'],
    ['unauthorized', 'auth'],
    ['badRequest', 'model_error'],
    [{ httpConnectionFailed: { httpStatusCode: 401 } }, 'auth'],
    [{ responseTooManyFailedAttempts: { httpStatusCode: 429 } }, 'rate_limited'],
    [{ responseStreamDisconnected: { httpStatusCode: 503 } }, 'model_unavailable'],
    // Where it says nothing, its words do.
    ['other', 'model_unavailable', 'stream disconnected before completion'],
    [null, 'auth', 'unexpected status 401 Unauthorized'],
    [17, 'model_error'],
    [{ somethingNew: {} }, 'model_error'],
  ])('%j is %s', (info, code, words) => {
    expect(judge(new Talk().begin().hear(failed(info, words)))).toMatchObject({ failure: { code } })
  })

  it('is a limit until all that is used up begins anew, to the second; else until what it says', () => {
    const [full, later, free] = [
      { usedPercent: 100, resetsAt: 1_795_600_000 },
      { usedPercent: 100, resetsAt: 1_795_700_000 },
      { usedPercent: 99, resetsAt: 1_795_800_000 },
    ]
    const cases = [
      [[limits(full, free)], 1_795_600_000_000],
      [[limits(full, later)], 1_795_700_000_000],
      // What an update leaves out has not changed.
      [[limits(full, free), limits(null, null)], 1_795_600_000_000],
      // Another limit of the same account is another one, whether it is told of before or after.
      [[limits(full, free), limits(free, null, 'spark')], 1_795_600_000_000],
      [[limits(later, later, 'spark'), limits(full, null)], 1_795_600_000_000],
      [[limits(free, null)], Date.parse('2026-11-21T08:47:00Z')],
      [[], Date.parse('2026-11-21T08:47:00Z')],
    ] as const
    for (const [updates, resetsAt] of cases) {
      const words = 'You’ve hit your usage limit. Try again at 8:46 AM.'
      const talk = new Talk().begin().hear(...updates, failed('usageLimitExceeded', words))
      expect(judge(talk)).toMatchObject({ kind: 'limited', resetsAt })
    }
  })

  it('stands also if Codex dies before the end of its turn; what it tries again after is no failure', () => {
    const error = (willRetry: boolean) => ({
      method: 'error',
      params: {
        threadId: T,
        willRetry,
        error: { message: 'gone', codexErrorInfo: 'unauthorized' },
      },
    })
    expect(judge(new Talk().begin().hear(error(false)))).toMatchObject({
      failure: { code: 'auth' },
    })
    expect(judge(new Talk().begin().hear(error(true)))).toMatchObject({
      failure: { code: 'no_proof' },
    })
  })
})

describe('over a death of ours', () => {
  const directory = join(import.meta.dirname, '../transcripts/codex')
  const names = readdirSync(directory).filter(name => /^appserver_\w+\.jsonl$/.test(name))

  it.each(names)(
    'from any part of %s, and any part of what was said, nothing is said twice',
    name => {
      const brief = plan({ asks: name.includes('asks') }).brief ?? ''
      const wishes = {
        answers: new Map([
          ['0', 'accept'],
          ['1', 'decline'],
        ]),
        messages: [1, 2].map(n => message(n)),
        interrupt: false,
      }
      const speak = (state: Translation, said: ReadonlySet<string>) =>
        dialogue.speak(state, brief, said, wishes).map(({ key }) => key)
      let state = translator.initial
      const all = new Set<string>()
      for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
        for (const key of speak(state, all)) {
          // Torn between any two of them: the rest is said, and no more.
          expect(speak(state, new Set([...all, key]))).not.toContain(key)
          expect(all.has(key)).toBe(false)
          all.add(key)
        }
        state = translator.translate(state, line).state
        expect(JSON.parse(JSON.stringify(state))).toEqual(state)
      }
      expect(JSON.stringify(state).length).toBeLessThan(8_192)
    },
  )

  it('its state stays small, whatever Codex does', () => {
    let state = new Talk().begin().state
    const item = (i: number) => ({
      ...{ type: 'fileChange', id: `f${i}`, changes: [{ path: '/w/'.padEnd(5_000, 'x') }] },
    })
    for (let i = 0; i < 3_000; i++) {
      const lines = [
        { method: 'item/started', params: { threadId: T, item: item(i) } },
        {
          id: i,
          method: 'item/fileChange/requestApproval',
          params: { threadId: T, itemId: `f${i}`, reason: 'y'.repeat(9_000) },
        },
        { id: `message:${i}`, result: { turn: { id: 't' } } },
      ]
      for (const line of lines.slice(0, i < 200 ? 3 : 2)) {
        state = translator.translate(state, JSON.stringify(line)).state
      }
    }
    expect(JSON.stringify(state).length).toBeLessThan(768 * 1024)
  })
})
