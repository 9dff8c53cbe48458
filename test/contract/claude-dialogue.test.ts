/** Our side of the dialogue with Claude Code, against lines of 2.1.329 that are played one by one. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { claude } from '../../src/agents/claude/agent.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import { answerKey, findOpen } from '../../src/domain/question.ts'
import { isTurnOver } from '../../src/engine/converse.ts'
import type { DialogueWishes, LaunchRequest, Translation } from '../../src/ports/agent.ts'
import { scratchDirectory } from '../scratch.ts'
import { exited } from '../transcripts/recorded.ts'

const SESSION = '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d'

const request: LaunchRequest = {
  installation: {
    program: '/opt/claude',
    leadingArguments: [],
    version: '2.1.329',
    environment: {},
  },
  mode: { kind: 'fresh', sessionToBe: SESSION },
  prompt: Buffer.from('Do “it” \\ $HOME\n'),
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

interface Line {
  readonly type: string
  readonly uuid?: string
  readonly message?: { readonly content: readonly [{ readonly text: string }] }
  readonly request?: object
  readonly response?: { readonly response?: { readonly updatedInput?: object } }
}

/** One attempt: what Claude Code says is given; what is said to it is kept, as an engine does it. */
class Talk {
  readonly brief
  readonly said = new Set<string>()
  readonly events: AgentEvent[] = []
  readonly sent: { readonly number: number; readonly text: string }[] = []
  readonly answers = new Map<string, string>()
  interrupt = false
  state: Translation = claude.translator.initial

  constructor(asks = false) {
    this.brief = claude.planLaunch({ ...request, asks }).brief ?? ''
  }

  wishes(): DialogueWishes {
    const messages = this.sent
      .filter(({ number }) => !this.state.heard?.includes(number))
      .map(one => ({ ...one, sentAt: one.number, launchedWith: null, heardAt: null }))
    return { messages, answers: this.answers, interrupt: this.interrupt }
  }

  speak(): readonly Line[] {
    const due = claude.dialogue?.speak(this.state, this.brief, this.said, this.wishes()) ?? []
    for (const { key, line } of due) {
      expect(this.said).not.toContain(key)
      expect(line).not.toMatch(/[\n\r]/)
      // So a worker that takes over knows what was said, and what is torn was not.
      expect(claude.dialogue?.keyOf(line)).toBe(key)
      expect(claude.dialogue?.keyOf(line.slice(0, -1))).toBeUndefined()
      this.said.add(key)
    }
    return due.map(({ line }) => JSON.parse(line))
  }

  /** Sends a message; what is said of it. */
  send(text: string): Line {
    this.sent.push({ number: this.sent.length + 1, text })
    const [line, ...more] = this.speak()
    expect(more).toEqual([])
    return line as Line
  }

  hear(...lines: readonly object[]): this {
    for (const line of lines) {
      const translated = claude.translator.translate(this.state, JSON.stringify(line))
      this.state = JSON.parse(JSON.stringify(translated.state))
      this.events.push(...translated.events)
    }
    return this
  }

  /** Up to the middle of its first turn. */
  begin(): this {
    this.speak()
    return this.hear(running, init, { ...replay(undefined), uuid: 'a-b' }, words('I begin.'))
  }

  /** As the engine asks: nothing keeps its process alive any more. */
  isOver(): boolean {
    const { dialogue } = claude
    if (dialogue === undefined) throw new Error('it can be talked to')
    return isTurnOver(dialogue, this.state, this.wishes().messages)
  }

  questions() {
    return findOpen(this.state.questions ?? [], this.said)
  }
}

const system = (subtype: string, fields: object = {}) => ({ type: 'system', subtype, ...fields })
const init = system('init', { session_id: SESSION })
const running = system('session_state_changed', { state: 'running' })
const idle = system('session_state_changed', { state: 'idle' })
const tasks = (count: number) =>
  system('background_tasks_changed', { tasks: Array.from({ length: count }, () => ({})) })
const words = (text: string, fields: object = {}) => ({
  type: 'assistant',
  message: { id: text, content: [{ type: 'text', text }] },
  ...fields,
})
const replay = (line: Line | undefined) => ({
  type: 'user',
  message: line?.message ?? { content: [] },
  uuid: line?.uuid,
  isReplay: true,
})
const lifecycle = (line: Line, state: string) => ({
  type: 'command_lifecycle',
  command_uuid: line.uuid,
  state,
})
const result = (fields: object = {}) => ({
  type: 'result',
  subtype: 'success',
  is_error: false,
  num_turns: 1,
  result: 'Done.',
  terminal_reason: 'completed',
  ...fields,
})
const aborted = result({ is_error: true, result: undefined, terminal_reason: 'aborted_tools' })
const ending = { exit: exited(0), stderr: '', saidAt: 1_795_900_000_000, timeZone: 'UTC' }

describe('a message', () => {
  it('is said once, under an id that follows from it alone', () => {
    const [one, other] = [new Talk().begin(), new Talk().begin()]
    const line = one.send('no, the other file')
    expect(line.message?.content[0].text).toBe('no, the other file')
    expect(other.send('no, the other file')).toEqual(line)
    expect(new Talk().begin().send('no, that file').uuid).not.toBe(line.uuid)
    expect(one.send('no, the other file').uuid).not.toBe(line.uuid)
    expect(one.speak()).toEqual([])
  })

  it('is no command of Claude Code’s, whatever it begins with; nor is a prompt', () => {
    const line = new Talk().begin().send('/clear')
    expect(line.message?.content[0].text).toBe('You are told:\n\n/clear')
    const resumed = { kind: 'resume', session: SESSION, why: null } as LaunchRequest['mode']
    const told = { ...request, mode: resumed, messages: ['/clear'] }
    const { stdin } = claude.planLaunch({ ...told, oneShot: true })
    expect(Buffer.from(stdin).toString()).toBe('You are told:\n\n/clear')
  })

  it('is heard when the model has answered to it, and not when it is only taken', () => {
    const talk = new Talk().begin()
    const line = talk.send('no, the other file')
    talk.hear(lifecycle(line, 'queued'), replay(line), lifecycle(line, 'started'))
    talk.hear(words('From a sub-agent.', { parent_tool_use_id: 'x' }))
    talk.hear(words('API Error: 529', { error: 'overloaded' }))
    expect(talk.state.heard).toBeUndefined()
    talk.hear(words('The other, then.'))
    expect(talk.state.heard).toEqual([1])
  })

  it('that comes as the turn ends becomes the next one, which is waited for', () => {
    const talk = new Talk().begin()
    const line = talk.send('one more thing')
    talk.hear(result(), idle)
    expect(talk.isOver()).toBe(false)
    talk.hear(running, replay(line), init, words('Yes.'), result({ result: 'All.' }))
    expect(talk.isOver()).toBe(false)
    talk.hear(idle)
    expect(talk.isOver()).toBe(true)
    expect(talk.state).toMatchObject({ heard: [1], answer: 'All.', turn: { ok: true } })
  })

  it('of a turn that was broken off is not taken for heard', () => {
    const talk = new Talk().begin()
    const line = talk.send('no, the other file')
    talk.hear(replay(line), aborted, lifecycle(line, 'cancelled'))
    expect(talk.state.heard).toBeUndefined()
    expect(claude.judge(talk.state, ending)).toMatchObject({ kind: 'interrupted' })
  })

  it('is held by a transcript where its model reads it, and not where it only waits', async () => {
    const talk = new Talk().begin()
    const [begins, comesBetween, waits] = ['one', 'two', 'three'].map(text => talk.send(text).uuid)
    const lines = [
      { type: 'queue-operation', operation: 'enqueue', commandUuid: waits },
      { type: 'user', uuid: 'another', message: { content: `of ${waits}` } },
      { type: 'user', uuid: begins, message: { content: 'one \u2028' } },
      { type: 'attachment', attachment: { type: 'queued_command', source_uuid: comesBetween } },
    ]
    const config = scratchDirectory()
    mkdirSync(join(config, 'projects', 'p'), { recursive: true })
    const text = lines.map(line => JSON.stringify(line)).join('\n')
    const torn = `{"type":"user","uuid":"${waits}"`
    writeFileSync(join(config, 'projects', 'p', `${SESSION}.jsonl`), `${text}\n${torn}`)
    const hold = (session: string) =>
      claude.keptSessions?.hold?.(asSessionId(session), talk.wishes().messages, {
        CLAUDE_CONFIG_DIR: config,
      })
    expect(await hold(SESSION)).toEqual([1, 2])
    expect(await hold('0b0b0b0b-0000-4000-8000-000000000000')).toEqual([])
  })

  it('that is refused is said again under another id, and not for ever', () => {
    const talk = new Talk().begin()
    let line = talk.send('listen')
    const ids = [line.uuid]
    for (;;) {
      talk.hear(lifecycle(line, 'queued'), lifecycle(line, 'refused'))
      const [again] = talk.speak()
      if (again === undefined) break
      line = again
      ids.push(again.uuid)
    }
    expect(new Set(ids).size).toBe(3)
    // It is left to the next attempt, which nothing of this one keeps waiting.
    expect(talk.hear(result(), idle).isOver()).toBe(true)
    talk.send('and this')
    expect(talk.isOver()).toBe(false)
    talk.hear(replay(line), words('I do.'))
    expect(talk.state.heard).toEqual([1])
  })

  it('that a hook of the user’s keeps from the model is over too, and told of', () => {
    const talk = new Talk().begin().hear(result(), idle)
    const line = talk.send('BLOCKED')
    const outcome = { kind: 'blocked_by_hook', reason: 'no' }
    const told = system('informational', {
      content: 'blocked by hook: no',
      prompt_submit_outcome: outcome,
    })
    talk.hear(running, init, told, result({ num_turns: 0, result: '' }))
    talk.hear(lifecycle(line, 'completed'), idle)
    expect(talk.isOver()).toBe(true)
    // The turn before stands.
    expect(talk.state).toMatchObject({ heard: [1], answer: 'Done.', turn: { ok: true } })
    expect(talk.events).toContainEqual({ kind: 'warning_given', message: 'blocked by hook: no' })
    const first = new Talk()
    first.speak()
    first.hear(running, init, told, result({ num_turns: 0, result: '' }))
    expect(claude.judge(first.state, ending)).toMatchObject({
      kind: 'failed',
      failure: { message: 'blocked by hook: no' },
    })
  })
})

describe('its end', () => {
  it('is waited for while something runs in the background, and while it goes on with it', () => {
    const talk = new Talk().begin().hear(tasks(1), result({ result: 'Waiting.' }), idle)
    expect(talk.isOver()).toBe(false)
    // No gap between the end of the command and the turn that it begins.
    for (const line of [system('task_notification', { status: 'completed' }), tasks(0), running]) {
      expect(talk.hear(line).isOver()).toBe(false)
    }
    talk.hear(init, words('It has ended.'), result({ result: 'It has ended.' }), idle)
    expect(talk.isOver()).toBe(true)
    expect(talk.state.answer).toBe('It has ended.')
  })

  it('is not waited for where a command in the background was only stopped', () => {
    const talk = new Talk().begin().hear(tasks(1), result(), idle)
    talk.hear(system('task_notification', { status: 'stopped' }), tasks(0))
    expect(talk.isOver()).toBe(true)
  })

  it('is the turn’s, of a version that does not say whether it is at work', () => {
    const talk = new Talk()
    talk.speak()
    expect(talk.hear(init, words('Hm.')).isOver()).toBe(false)
    expect(talk.hear(result()).isOver()).toBe(true)
  })

  it('of a turn that failed waits for nothing, and nothing more is said', () => {
    const talk = new Talk().begin().hear(tasks(1), result({ is_error: true, result: 'no' }))
    talk.sent.push({ number: 1, text: 'listen' })
    expect(talk.speak()).toEqual([])
    expect(talk.isOver()).toBe(true)
  })
})

describe('an interruption', () => {
  it('is said once, takes what is in the queue with it, and answers what was asked', () => {
    const talk = new Talk(true).begin().hear(asking('Bash', { command: 'ls' }))
    talk.interrupt = true
    expect(talk.speak()).toMatchObject([
      { type: 'control_request', request: { subtype: 'interrupt', cancel_queued: true } },
      { response: { response: { behavior: 'deny' } } },
    ])
    expect(talk.said).toContain(claude.dialogue?.interruptKey)
    expect(talk.speak()).toEqual([])
    expect(talk.hear(aborted).speak()).toEqual([])
  })

  it('has nothing to say before the prompt or after the turn', () => {
    const before = new Talk()
    before.interrupt = true
    expect(before.speak()).toEqual([])
    const after = new Talk().begin().hear(result(), idle)
    after.interrupt = true
    expect(after.speak()).toEqual([])
  })
})

const asking = (tool_name: string, input: unknown, id = 'r1') => ({
  type: 'control_request',
  request_id: id,
  request: { subtype: 'can_use_tool', tool_name, input, tool_use_id: `call-${id}` },
})

const COLOUR = {
  question: 'Which colour?',
  header: 'Colour',
  multiSelect: false,
  options: [
    { label: 'Red', description: 'r' },
    { label: 'Blue', description: 'b' },
  ],
}
const SIZES = { question: 'Which sizes?', header: 'Size', multiSelect: true, options: [] }

describe('what it asks', () => {
  it('is a question under --ask, answered once and by one of its options', () => {
    const talk = new Talk(true).begin().hear(asking('Bash', { command: 'rm -rf build' }))
    expect(talk.speak()).toEqual([])
    expect(talk.questions()).toEqual([
      {
        id: 'r1',
        text: 'Bash: rm -rf build',
        options: [
          { id: 'allow', label: 'Allow' },
          { id: 'deny', label: 'Deny' },
        ],
      },
    ])
    talk.answers.set('r1', 'perhaps')
    expect(talk.speak()).toEqual([])
    talk.answers.set('r1', 'allow')
    const response = { subtype: 'success', request_id: 'r1', response: { behavior: 'allow' } }
    expect(talk.speak()).toEqual([{ type: 'control_response', response }])
    expect(talk.said).toContain(answerKey('r1'))
    expect(talk.questions()).toEqual([])
    expect(talk.speak()).toEqual([])
  })

  it.each<[string, object]>([
    ['its call is over', toolResult('call-r1')],
    ['it takes it back', { type: 'control_cancel_request', request_id: 'r1' }],
    ['it repeats the answer', { type: 'control_response', response: { request_id: 'r1' } }],
    ['the turn is over', result()],
  ])('is asked no more once %s', (_when, line) => {
    const talk = new Talk(true).begin().hear(asking('Bash', { command: 'ls' }))
    talk.hear(asking('Bash', { command: 'pwd' }, 'r2'))
    expect(talk.hear(line).questions()).toHaveLength(isOver(line) ? 0 : 1)
  })

  it('of the person is answered by a label, or in words where several are asked', () => {
    const one = new Talk(true).begin().hear(asking('AskUserQuestion', { questions: [COLOUR] }))
    expect(one.questions()).toMatchObject([{ text: 'Which colour?', options: [{}, {}] }])
    one.answers.set('r1', 'green')
    expect(one.speak()).toEqual([])
    one.answers.set('r1', 'blue')
    expect(one.speak()[0]?.response?.response?.updatedInput).toEqual({
      questions: [COLOUR],
      answers: { 'Which colour?': 'Blue' },
    })
    const two = new Talk(true)
      .begin()
      .hear(asking('AskUserQuestion', { questions: [COLOUR, SIZES] }))
    expect(two.questions()).toMatchObject([
      { text: expect.stringContaining('one of: Red, Blue'), options: [] },
    ])
    two.answers.set('r1', 'rather green')
    expect(two.speak()).toEqual([])
    expect(claude.dialogue?.takesAnswer(two.state, 'r1', 'rather green')).toBe(false)
    expect(claude.dialogue?.takesAnswer(two.state, 'r1', 'rather green\nS, M')).toBe(true)
    two.answers.set('r1', 'rather green\nS, M')
    expect(two.speak()[0]?.response?.response?.updatedInput).toMatchObject({
      answers: { 'Which colour?': 'rather green', 'Which sizes?': 'S, M' },
    })
  })

  it('is refused where nobody is to be asked, and always answered, whatever it is', () => {
    const talk = new Talk().begin().hear(asking('Bash', { command: 'ls' }))
    talk.hear({ type: 'control_request', request_id: 'u', request: { subtype: 'teleport' } })
    expect(talk.questions()).toHaveLength(1)
    expect(talk.speak()).toMatchObject([
      { response: { request_id: 'r1', response: { behavior: 'deny' } } },
      { response: { subtype: 'error', request_id: 'u', error: 'not supported: teleport' } },
    ])
    expect(talk.questions()).toEqual([])
  })

  it('keeps the state small, however much there is of it', () => {
    const talk = new Talk(true).begin()
    const input = { command: 'x'.repeat(100_000), questions: [COLOUR, 'y'.repeat(100_000)] }
    for (let i = 0; i < 20; i++) {
      talk.hear(asking(i % 2 === 0 ? 'Bash' : 'AskUserQuestion', input, `r${i}`))
    }
    expect(JSON.stringify(talk.state).length).toBeLessThan(200_000)
  })
})

describe('a launch', () => {
  it('of a version that was never talked to is one-shot, and cannot ask', () => {
    const older = { ...request, installation: { ...request.installation, version: '2.1.328' } }
    const launch = claude.planLaunch(older)
    expect(launch.brief).toBeUndefined()
    expect(launch.argv).not.toContain('--input-format')
    expect(Buffer.from(launch.stdin).toString()).toContain('Do “it”')
    expect(() => claude.planLaunch({ ...older, asks: true })).toThrow(/cannot ask/)
  })

  it('asks in Claude Code’s own default mode, and otherwise for nothing', () => {
    const modeOf = (asks: boolean) => {
      const { argv } = claude.planLaunch({ ...request, asks })
      return [argv[argv.indexOf('--permission-mode') + 1], argv.includes('stdio')]
    }
    expect(modeOf(true)).toEqual(['default', true])
    expect(modeOf(false)).toEqual(['bypassPermissions', false])
  })
})

function toolResult(tool_use_id: string): object {
  return { type: 'user', message: { content: [{ type: 'tool_result', tool_use_id }] } }
}

function isOver(line: object): boolean {
  return 'type' in line && line.type === 'result'
}
