/** Our side of `pi --mode rpc`, against a Pi that is played line by line. */
import { describe, expect, it } from 'vitest'
import { pi } from '../../src/agents/pi/agent.ts'
import { longWaitsModule } from '../../src/agents/pi/long-waits.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import { findOpen } from '../../src/domain/question.ts'
import type { DialogueWishes, LaunchRequest, Utterance } from '../../src/ports/agent.ts'
import { exited } from '../transcripts/recorded.ts'

const REQUEST: LaunchRequest = {
  installation: {
    program: '/opt/node',
    leadingArguments: ['--import', longWaitsModule, '/opt/pi.js'],
    version: null,
    environment: {},
  },
  mode: { kind: 'fresh', sessionToBe: 'x' },
  prompt: Buffer.from('Fix it.'),
  handOver: null,
  argv: [],
  model: null,
  effort: null,
  permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
  asks: false,
  worktree: '/trees/a',
  workingDirectory: '/trees/a',
  environment: { PATH: '/usr/bin' },
}

const START = { type: 'agent_start' }
const END = { type: 'agent_end', messages: [] }
const user = (text: string) => ({
  type: 'message_end',
  message: { role: 'user', content: [{ type: 'text', text }] },
})
const model = (fields: object = { stopReason: 'stop' }) => ({
  type: 'message_end',
  message: { role: 'assistant', content: [{ type: 'text', text: 'Done.' }], ...fields },
})
const FAILED = model({ content: [], stopReason: 'error', errorMessage: '500 boom' })
const RETRY = { type: 'auto_retry_start', delayMs: 2000, errorMessage: '500 boom' }
const RUN = [START, model(), END]

/** One attempt: what Pi says is given, what is said to it is kept, as an engine does it. */
class Talk {
  readonly brief: string
  readonly said = new Set<string>()
  readonly heard: string[] = []
  readonly events: AgentEvent[] = []
  readonly messages: string[] = []
  readonly answers = new Map<string, string>()
  state = pi.translator.initial

  constructor(changed: Partial<LaunchRequest> = {}) {
    this.brief = pi.planLaunch({ ...REQUEST, ...changed }).brief ?? ''
  }

  wishes(interrupt = false): DialogueWishes {
    const messages = this.messages
      .map((text, i) => ({ number: i + 1, text, sentAt: 1, launchedWith: null, heardAt: null }))
      .filter(({ number }) => !this.state.heard?.includes(number))
    return { answers: this.answers, messages, interrupt }
  }

  due(interrupt = false, said: ReadonlySet<string> = this.said): readonly Utterance[] {
    return pi.dialogue?.speak(this.state, this.brief, said, this.wishes(interrupt)) ?? []
  }

  /** Says what is due; the commands. */
  speak(interrupt = false): Record<string, unknown>[] {
    return this.due(interrupt).map(({ key, line, events = [] }) => {
      expect(this.said).not.toContain(key)
      expect(line).not.toMatch(/[\n\r\u2028\u2029]/)
      expect(pi.dialogue?.keyOf(line)).toBe(key)
      expect(pi.dialogue?.keyOf(line.slice(0, -1))).toBeUndefined()
      this.said.add(key)
      this.events.push(...events)
      return JSON.parse(line)
    })
  }

  hear(...lines: readonly object[]): this {
    for (const line of lines.map(one => JSON.stringify(one))) {
      this.heard.push(line)
      const { state, events } = pi.translator.translate(this.state, line)
      this.state = JSON.parse(JSON.stringify(state)) as typeof state
      this.events.push(...events)
    }
    return this
  }

  /** Answers the one command that is due; the command. */
  answer(data?: object): Record<string, unknown> {
    const [command, ...more] = this.speak()
    expect(more).toEqual([])
    if (command === undefined) throw new Error('nothing is said')
    const { id, type } = command
    this.hear({ id, type: 'response', command: type, success: true, ...(data && { data }) })
    return command
  }

  refuse(error: string): void {
    const [command] = this.speak()
    this.hear({ id: command?.id, type: 'response', success: false, error })
  }

  begin(): this {
    this.answer({ sessionId: 's-1' })
    this.answer()
    return this.hear(START)
  }

  outcome() {
    const ending = { exit: exited(143), stderr: '', saidAt: 0, timeZone: 'UTC' }
    return pi.judge(this.state, ending)
  }

  kinds = () => this.events.map(({ kind }) => kind)
}

describe('a turn', () => {
  it('begins with the session’s name, then the prompt', () => {
    const talk = new Talk()
    expect(talk.answer({ sessionId: 's-1' })).toMatchObject({ type: 'get_state' })
    const prompt = talk.answer()
    expect(prompt).toMatchObject({ type: 'prompt', message: expect.stringMatching(/Fix it\.$/) })
    expect(talk.events).toEqual([{ kind: 'session_started', session: 's-1' }])
    expect(talk.hear(...RUN).outcome()).toEqual({ kind: 'succeeded' })
  })

  it('that cannot begin has failed, in Pi’s words', () => {
    const talk = new Talk()
    talk.answer({ sessionId: 's-1' })
    talk.refuse('No API key found for anthropic.')
    expect(talk.outcome()).toMatchObject({ kind: 'failed', failure: { code: 'auth' } })
    const nameless = new Talk()
    nameless.answer({})
    expect(nameless.state.turn?.ok).toBe(false)
  })

  it('has not failed before it is known that Pi does not try again', () => {
    const talk = new Talk().begin().hear(FAILED, END)
    expect([talk.state.turn, talk.kinds().includes('turn_ended')]).toEqual([null, false])
    const [asked] = talk.speak()
    talk.hear(RETRY, { id: asked?.id, type: 'response', success: true, data: {} })
    expect(talk.state.turn).toBeNull()
    talk.hear(START, FAILED, END)
    expect(talk.state.turn).toBeNull()
    talk.answer({ pendingMessageCount: 0 })
    expect(talk.state.turn).toEqual({ ok: false, message: '500 boom' })
    expect(talk.outcome()).toMatchObject({ failure: { code: 'model_unavailable' } })
    expect(talk.kinds().filter(kind => kind === 'turn_ended')).toHaveLength(1)
    expect(talk.due()).toEqual([])
  })

  it('that failed before Pi died is judged by that', () => {
    const talk = new Talk().begin().hear(FAILED, END)
    expect(talk.outcome()).toMatchObject({ failure: { code: 'model_unavailable' } })
  })

  it('goes on after its context was made shorter, and has failed where it could not be', () => {
    const long = model({ content: [], stopReason: 'error', errorMessage: 'prompt is too long' })
    const start = { type: 'compaction_start', reason: 'overflow' }
    const talk = new Talk().begin().hear(long, END)
    const [asked] = talk.speak()
    talk.hear(start, { id: asked?.id, type: 'response', success: true, data: {} })
    expect(talk.state.turn).toBeNull()
    const other = new Talk().begin().hear(long, END, start)
    talk.hear({ type: 'compaction_end', willRetry: true }, ...RUN)
    expect(talk.outcome()).toEqual({ kind: 'succeeded' })
    other.hear({ type: 'compaction_end', willRetry: false, errorMessage: 'no room' })
    expect(other.outcome()).toMatchObject({ failure: { code: 'context_overflow' } })
  })
})

describe('a message', () => {
  const told = (...texts: string[]) => {
    const talk = new Talk()
    talk.messages.push(...texts)
    return talk
  }

  it('comes after the prompt, one after the other, and is heard when the model is shown it', () => {
    const talk = told('one', 'two').begin()
    expect(talk.answer()).toMatchObject({ message: 'one', streamingBehavior: 'steer' })
    expect(talk.answer()).toMatchObject({ message: 'two' })
    expect(talk.speak()).toEqual([])
    talk.hear(user('you were told to fix it'), user('two'), user('something else'))
    expect(talk.state.heard).toEqual([2])
    talk.hear(user('one'), model(), END)
    expect(talk.state).toMatchObject({ heard: [2, 1], turn: { ok: true } })
    expect(talk.speak()).toEqual([])
  })

  it('said twice in the same words is two', () => {
    const talk = told('on', 'on').begin()
    talk.answer()
    talk.answer()
    expect(talk.hear(user('on')).state.heard).toEqual([1])
    expect(talk.hear(user('on')).state.heard).toEqual([1, 2])
  })

  it('never runs what the user’s Pi knows by a name', () => {
    const talk = told('/skill:deploy now').begin()
    expect(talk.speak()[0]?.message).toBe('You are told:\n\n/skill:deploy now')
    const mode = { kind: 'resume', session: 's', why: null } as LaunchRequest['mode']
    for (const oneShot of [{}, { oneShot: true } as const]) {
      const { stdin, brief = '' } = pi.planLaunch({
        ...REQUEST,
        mode,
        messages: ['/quit'],
        ...oneShot,
      })
      expect(`${Buffer.from(stdin)}${brief}`).toMatch(/You are told:[\n\\n]+\/quit/)
    }
  })

  it('between turns begins one; Pi may say of the end later than it takes it', () => {
    const talk = new Talk().begin()
    talk.messages.push('late')
    talk.answer()
    talk.hear(model(), END)
    // It is not over: Pi is asked whether it has come to rest.
    expect(talk.state.turn).toEqual({ ok: true })
    const [asked] = talk.speak()
    talk.hear(START, user('late'), { id: asked?.id, type: 'response', success: true, data: {} })
    expect(talk.state).toMatchObject({ turn: null, heard: [1] })
  })

  it('that Pi keeps to itself is brought out, and not said again', () => {
    const talk = told('stay').begin()
    talk.answer()
    talk.hear(model(), END)
    talk.answer({ pendingMessageCount: 1 })
    const kick = talk.answer()
    expect(kick.message).not.toContain('stay')
    talk.hear(START, user(String(kick.message)), user('stay'), model(), END)
    expect(talk.state).toMatchObject({ heard: [1], turn: { ok: true } })
    expect(talk.speak()).toEqual([])
  })

  it('that Pi never gives out is let go of, and the log says so', () => {
    const talk = told('stay').begin()
    talk.answer()
    talk.hear(model(), END)
    for (let kicks = 0; kicks < 3; kicks++) {
      talk.answer({ pendingMessageCount: 1 })
      const { message } = talk.answer()
      expect(talk.state.heard).toBeUndefined()
      talk.hear(START, user(String(message)), model(), END)
    }
    talk.answer({ pendingMessageCount: 1 })
    expect(talk.state).toMatchObject({ heard: [1], turn: { ok: true } })
    expect(talk.kinds()).toContain('warning_given')
    expect(talk.speak()).toEqual([])
  })

  it('that an extension took is heard, and the log says how', () => {
    const talk = told('!deploy').begin()
    talk.answer()
    talk.hear(model(), END)
    talk.answer({ pendingMessageCount: 0 })
    expect(talk.state.heard).toEqual([1])
    expect(talk.kinds()).toContain('warning_given')
    // Between two turns no run tells of it.
    talk.messages.push('!deploy again')
    talk.answer()
    talk.answer({ pendingMessageCount: 0, isStreaming: false })
    expect(talk.state).toMatchObject({ heard: [1, 2], turn: { ok: true } })
  })

  it('that was refused is said once more when the turn is over, and then fails the next', () => {
    const talk = told('no').begin()
    talk.refuse('an extension does not like it')
    expect(talk.speak()).toEqual([])
    talk.hear(model(), END)
    talk.refuse('No API key found for anthropic.')
    expect(talk.outcome()).toMatchObject({ failure: { code: 'auth' } })
    expect(talk.speak()).toEqual([])
  })
})

describe('a stop', () => {
  it('ends the turn, whatever Pi is doing', () => {
    const speaking = new Talk().begin()
    expect(speaking.speak(true)).toMatchObject([{ type: 'abort' }])
    speaking.hear(model({ stopReason: 'aborted', errorMessage: 'Request was aborted.' }), END)
    expect(speaking.outcome()).toMatchObject({ kind: 'interrupted' })
    const retrying = new Talk().begin().hear(FAILED, END, RETRY)
    retrying.speak(true)
    retrying.hear({ type: 'auto_retry_end', success: false, finalError: 'Retry cancelled' })
    expect(retrying.state.turn?.ok).toBe(false)
    const idle = new Talk().begin()
    idle.speak(true)
    idle.hear({ id: 'abort', type: 'response', success: true })
    expect(idle.state.turn?.ok).toBe(false)
  })

  it('begins nothing that was not begun', () => {
    const talk = new Talk()
    talk.answer({ sessionId: 's-1' })
    expect(talk.speak(true)).toEqual([])
  })
})

describe('what extensions ask', () => {
  const ask = (method: string, id: string, more: object = {}) => ({
    ...{ type: 'extension_ui_request', id, method, title: 'Deploy' },
    ...more,
  })
  const ALL = [
    ask('confirm', 'a', { message: 'to production?' }),
    ask('select', 'b', { options: ['Blue', 'Green'] }),
    ask('input', 'c', { placeholder: 'where' }),
    ask('notify', 'd', { message: 'careful', notifyType: 'warning' }),
    ask('setStatus', 'e'),
  ]

  it('is answered by nobody where the task asks nobody, and that is told', () => {
    const talk = new Talk().begin().hear(...ALL)
    expect(talk.speak()).toEqual(
      ['a', 'b', 'c'].map(id => ({ type: 'extension_ui_response', id, cancelled: true })),
    )
    expect(talk.kinds().filter(kind => kind === 'action_refused')).toHaveLength(3)
    expect(talk.events).toContainEqual({ kind: 'warning_given', message: 'careful' })
    expect(findOpen(talk.state.questions ?? [], talk.said)).toEqual([])
  })

  it('is asked of people where it is to, and an answer that fits none is passed over', () => {
    const talk = new Talk({ asks: true }).begin().hear(...ALL)
    expect(talk.speak()).toEqual([])
    expect(talk.state.questions?.map(({ text }) => text)).toEqual([
      'Deploy: to production?',
      'Deploy',
      'Deploy: where',
    ])
    for (const id of ['a', 'b']) {
      talk.answers.set(id, 'perhaps')
      expect(pi.dialogue?.takesAnswer(talk.state, id, 'perhaps')).toBe(false)
    }
    expect(talk.speak()).toEqual([])
    for (const [id, words] of Object.entries({ a: 'no', b: 'green', c: ' $(x) ' })) {
      talk.answers.set(id, words)
      expect(pi.dialogue?.takesAnswer(talk.state, id, words)).toBe(true)
    }
    expect(talk.speak()).toMatchObject([
      { id: 'a', confirmed: false },
      { id: 'b', value: 'Green' },
      { id: 'c', value: ' $(x) ' },
    ])
    expect(talk.hear(model(), END).state.questions).toBeUndefined()
  })

  it('is not pretended where this Pi cannot be made to ask', () => {
    const installation = { ...REQUEST.installation, leadingArguments: [] }
    expect(() => new Talk({ asks: true, installation })).toThrow(/no npm package/)
  })
})

it('over a death of ours, from any part of what was heard and said, nothing is said twice', () => {
  const talk = new Talk({ asks: true })
  talk.messages.push('one', 'two', 'three')
  talk.begin()
  talk.answer()
  talk.hear({ type: 'extension_ui_request', id: 'q', method: 'confirm', title: 'Sure' })
  talk.answers.set('q', 'yes')
  const said = talk.speak().map(({ id }) => ({ id, type: 'response', success: true }))
  talk.hear(...said, user('one'), FAILED, END)
  talk.speak()
  talk.hear(RETRY, START, user('two'), model(), END)
  talk.speak()
  talk.speak(true)
  const keys = [...talk.said]
  const again = new Talk({ asks: true })
  again.messages.push(...talk.messages)
  again.answers.set('q', 'yes')
  for (const line of ['', ...talk.heard, talk.heard.at(-1)?.slice(0, 9) ?? '']) {
    again.state = pi.translator.translate(again.state, line).state
    for (let mask = 0; mask < 2 ** keys.length; mask++) {
      const known = new Set(keys.filter((_, i) => (mask >> i) & 1))
      for (const interrupt of [false, true]) {
        const all = again.due(interrupt, known).map(({ key }) => key)
        const isTwice = all.some((key, i) => known.has(key) || all.indexOf(key) !== i)
        if (isTwice) expect.fail(`${all} of which were said: ${[...known]}`)
      }
    }
  }
})
