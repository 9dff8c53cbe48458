import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { judge } from '../../src/agents/claude/judge.ts'
import { claudeTranslator } from '../../src/agents/claude/translate.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { AgentExit, AttemptOutcome } from '../../src/domain/outcome.ts'
import type { Translation } from '../../src/ports/agent.ts'
import { endingOf, exited, killed, type Recorded, testRecorded, translateAll } from './recorded.ts'

const directory = join(import.meta.dirname, 'claude')

/** Recorded streams, and how each process ended. From 2.1.197 where no other file bears the name. */
const recorded: Recorded = {
  success: { exit: exited(0) },
  'success_2.1.197': { exit: exited(0) },
  tools: { exit: exited(0) },
  subagent: { exit: exited(0) },
  background: { exit: exited(0) },
  dialogue_message: { exit: exited(0) },
  dialogue_ask: { exit: exited(0) },
  schema: { exit: exited(0) },
  denied: { exit: exited(0) },
  perm_default: { exit: exited(0) },
  rmcwd_tool: { exit: exited(0) },
  rmcwd_twice: { exit: exited(0) },
  dropmid: { exit: exited(0) },
  http400: { exit: exited(1) },
  http500: { exit: killed },
  maxturns: { exit: exited(1) },
  noauth: { exit: exited(1) },
  usagelimit: { exit: exited(1) },
  usagelimit_oauth: { exit: exited(1) },
  'usagelimit_oauth_2.1.197': { exit: exited(1) },
  kill9_tool: { exit: exited(0) },
  kill9_tool_resume: { exit: exited(0) },
  'kill9_tool_2.1.197': { exit: killed },
  'kill9_tool_resume_2.1.197': { exit: exited(0) },
  resume_unknown: { exit: exited(1) },
  sigint_model: { exit: exited(0) },
  sigint_tool: { exit: exited(0) },
  'sigint_tool_2.1.197': { exit: exited(1) },
}

describe('recorded streams of Claude Code', () => {
  testRecorded({ translator: claudeTranslator, judge }, directory, recorded)
})

const translateOne = (line: string) => claudeTranslator.translate(claudeTranslator.initial, line)
const translate = (...lines: readonly object[]) =>
  translateAll(
    claudeTranslator,
    lines.map(line => JSON.stringify(line)),
  )
const assistant = (content: readonly object[], more: object = {}) => ({
  type: 'assistant',
  message: { id: 'm1', content, usage: { input_tokens: 10, output_tokens: 1 } },
  ...more,
})
const tool = (name: string, input: object, id = 't1') =>
  assistant([{ type: 'tool_use', id, name, input }])
const toolResult = (content: unknown, more: object = {}, id = 't1') => ({
  type: 'user',
  message: { content: [{ type: 'tool_result', tool_use_id: id, content, ...more }] },
})
const result = (fields: object) => ({ type: 'result', subtype: 'success', ...fields })
const init = { type: 'system', subtype: 'init', session_id: 's1' }

describe('lines that Claude Code might write one day', () => {
  it.each([
    ['of an unknown kind', '{"by":"user","type":"turn_steered"}', 'turn_steered'],
    ['of an unknown subtype', '{"type":"system","subtype":"teleported"}', 'system:teleported'],
    ['half a line', '{"type":"result","is_err', 'malformed'],
    ['plain text', 'thread panicked', 'malformed'],
    ['without a type', '{"is_error":false}', 'malformed'],
    ['without the field that proves it', '{"type":"result","subtype":"success"}', 'result'],
  ])('become an `other` event: %s', (_name, line, type) => {
    const { state, events } = translateOne(line)
    expect(events).toEqual([{ kind: 'other', type, line }])
    expect(state.turn).toBeNull()
  })

  it('may bear new fields and blocks, and lack those that only decorate', () => {
    const { state, events } = translate(
      { type: 'system', subtype: 'init' },
      assistant([{ type: 'video' }, { type: 'text', text: 'Hm.' }], { message2: {} }),
      result({ is_error: false, usage: 12, result: 7, permission_denials: 'none' }),
    )
    expect(events.map(({ kind }) => kind)).toEqual([
      'turn_started',
      'other',
      'message_ended',
      'usage_reported',
      'turn_ended',
    ])
    expect(state).toMatchObject({ turn: { ok: true }, answer: null, session: null })
  })

  it.each(['../../x', '-p', '', 'a b', 7])('name no session that is none: %j', session_id => {
    expect(translate({ ...init, session_id }).state.session).toBeNull()
  })

  it('may be 20 MB long, and do not swell the log or the state', () => {
    const output = 'x'.repeat(20 * 1024 * 1024)
    const { state, events } = translate(
      tool('Bash', { command: output }),
      toolResult(`${output}end`, { is_error: false }),
      tool('Strange', { much: output }),
    )
    expect(events.map(({ kind }) => kind)).toEqual(['command_started', 'command_ended', 'other'])
    expect(events[1]).toMatchObject({ output: expect.stringMatching(/x+end$/) })
    expect(JSON.stringify([events, state]).length).toBeLessThan(20_000)
    const [garbage] = translateOne(output).events
    expect(JSON.stringify(garbage).length).toBeLessThan(10_000)
  })

  it('keep the state small, whatever is begun and never ended, or refused', () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => [
      tool('Bash', { command: 'x'.repeat(5_000) }, `t${i}`),
      { type: 'system', subtype: 'permission_denied', tool_use_id: `t${i}`, message: 'no' },
    ])
    const { state } = translate(...lines.flat())
    expect(JSON.stringify(state).length).toBeLessThan(100_000)
  })
})

describe('a turn', () => {
  it('ends with its last result, and not while another one goes on', () => {
    const first = result({ is_error: false, result: 'One.' })
    const after = { type: 'system', subtype: 'task_notification', status: 'completed' }
    expect(translate(init, first, after).state).toMatchObject({
      turn: { ok: true },
      answer: 'One.',
    })
    const goingOn = translate(init, first, assistant([{ type: 'text', text: 'More.' }])).state
    expect(goingOn).toMatchObject({ turn: null, answer: null })
    expect(translate(init, first, init).state).toMatchObject({ turn: null, answer: null })
    const second = result({ is_error: false, result: 'Two.' })
    expect(translate(init, first, init, second).state).toMatchObject({ answer: 'Two.' })
  })

  it('that goes well is no success while it waits for its commands and is killed', () => {
    const tasks = { type: 'system', subtype: 'background_tasks_changed', tasks: [{}] }
    const { state } = translate(init, tasks, result({ is_error: false, result: 'Waiting.' }))
    expect(judge(state, endingOf(killed))).toMatchObject({ kind: 'interrupted' })
    expect(judge(state, endingOf(exited(0)))).toEqual({ kind: 'succeeded' })
  })

  it('has a running total of its input before its end, each message counted once', () => {
    const usage = { input_tokens: 10, cache_creation_input_tokens: 5, cache_read_input_tokens: 85 }
    const message = (id: string) => ({ type: 'assistant', message: { id, content: [], usage } })
    const running = translate(init, message('a'), message('a'), message('b'), message('a')).state
    expect(running.usage).toEqual({
      inputTokens: 200,
      cachedInputTokens: 170,
      outputTokens: null,
      costUsd: null,
    })
  })

  it('counts what each of several results says of itself, and no session’s cost', () => {
    const model_usage_since_last_result = {
      a: { inputTokens: 10, cacheReadInputTokens: 90, outputTokens: 5, costUSD: 0.5 },
      b: {
        inputTokens: 1,
        cacheCreationInputTokens: 9,
        cacheReadInputTokens: 0,
        outputTokens: 5,
        costUSD: 0.25,
      },
    }
    const one = result({ is_error: false, total_cost_usd: 7, model_usage_since_last_result })
    expect(translate(init, one, init, one).state.usage).toEqual({
      inputTokens: 220,
      cachedInputTokens: 180,
      outputTokens: 20,
      costUsd: 1.5,
    })
    const older = (total_cost_usd: number) =>
      result({ is_error: false, total_cost_usd, usage: { input_tokens: 3, output_tokens: 2 } })
    expect(translate(init, older(1), init, older(2.5)).state.usage).toMatchObject({
      inputTokens: 6,
      outputTokens: 4,
      costUsd: 2.5,
    })
  })
})

describe('tools', () => {
  it.each<[string, object, object, readonly AgentEvent[]]>([
    [
      'an edit',
      tool('MultiEdit', { file_path: '/a' }),
      toolResult('ok'),
      [{ kind: 'files_changed', paths: ['/a'] }],
    ],
    [
      'a notebook',
      tool('NotebookEdit', { notebook_path: '/n' }),
      toolResult([{ type: 'text', text: 'ok' }]),
      [{ kind: 'files_changed', paths: ['/n'] }],
    ],
    [
      'an edit that failed',
      tool('Write', { file_path: '/a' }),
      toolResult([{ type: 'text', text: 'no such directory' }], { is_error: true }),
      [
        {
          kind: 'warning_given',
          message: 'Claude Code could not change /a: no such directory',
        },
      ],
    ],
    [
      'a command of which nobody says how it ended',
      tool('Bash', { command: 'ls' }),
      toolResult('out'),
      [
        { kind: 'command_started', command: 'ls' },
        { kind: 'command_ended', command: 'ls', exitCode: null, output: 'out' },
      ],
    ],
    [
      'one without a word of its own',
      tool('Grep', { pattern: 'x' }),
      toolResult('many'),
      [{ kind: 'other', type: 'tool:Grep', line: '{"pattern":"x"}' }],
    ],
  ])('%s', (_name, start, end, events) => {
    expect(translate(start, end).events).toEqual(events)
  })

  it('that were refused are told of once', () => {
    const denied = {
      type: 'system',
      subtype: 'permission_denied',
      tool_use_id: 't1',
      message: 'no',
    }
    const rejected = {
      ...toolResult('no', { is_error: true }),
      tool_result_meta: [{ id: 't1', permission_decision: { decision: 'reject' } }],
    }
    const denials = [{ tool_name: 'Write', tool_use_id: 't1', tool_input: { file_path: '/a' } }]
    const ended = result({ is_error: false, permission_denials: denials })
    const { events } = translate(tool('Write', { file_path: '/a' }), denied, rejected, ended)
    expect(events.filter(({ kind }) => kind !== 'usage_reported')).toEqual([
      { kind: 'action_refused', action: 'Write: /a', why: 'no' },
      { kind: 'turn_ended', ok: true },
    ])
  })
})

describe('a judgement', () => {
  const open = claudeTranslator.initial
  const failed = (text: string, fields: object = {}, error = 'unknown'): Translation =>
    translate(
      init,
      assistant([{ type: 'text', text }], { error }),
      result({ is_error: true, result: text, ...fields }),
    ).state
  const crashed = (...errors: readonly string[]): Translation =>
    translate(result({ subtype: 'error_during_execution', is_error: true, errors })).state
  const unknown: AgentExit = { kind: 'unknown' }

  it.each<[string, Translation, AgentExit, string, AttemptOutcome['kind'], string | undefined]>([
    ['success', translate(result({ is_error: false })).state, killed, '', 'succeeded', undefined],
    ['400', failed('API Error: 400 bad shape'), exited(1), '', 'failed', 'model_error'],
    ['401', failed('API Error: 401 no'), exited(1), '', 'failed', 'auth'],
    ['no login', failed('Not logged in · Please run /login'), exited(1), '', 'failed', 'auth'],
    [
      'a wrong key',
      failed('Invalid API key · Fix external API key'),
      exited(1),
      '',
      'failed',
      'auth',
    ],
    [
      'a revoked login',
      failed('Failed to authenticate. API Error: 401 OAuth token has been revoked.'),
      exited(1),
      '',
      'failed',
      'auth',
    ],
    [
      'a login that ran out on the way',
      failed('Failed to authenticate. API Error: 401 OAuth token has expired. Please …'),
      exited(1),
      '',
      'interrupted',
      'model_unavailable',
    ],
    ['no credit', failed('Credit balance is too low'), exited(1), '', 'failed', 'auth'],
    [
      'a kind without words',
      failed('?', {}, 'authentication_failed'),
      exited(1),
      '',
      'failed',
      'auth',
    ],
    [
      'a limit of an API key',
      failed('API Error: Request rejected (429) · slow down'),
      exited(1),
      '',
      'interrupted',
      'rate_limited',
    ],
    [
      'overload',
      failed('API Error: 529 Overloaded'),
      exited(1),
      '',
      'interrupted',
      'model_unavailable',
    ],
    [
      'a status alone',
      failed('It broke', { api_error_status: 503 }),
      exited(1),
      '',
      'interrupted',
      'model_unavailable',
    ],
    [
      'no network',
      failed('API Error: Connection error.'),
      exited(1),
      '',
      'interrupted',
      'model_unavailable',
    ],
    ['too much said', failed('Prompt is too long'), exited(1), '', 'failed', 'context_overflow'],
    [
      'a session that is not there',
      crashed('No conversation found with session ID: x'),
      exited(1),
      '',
      'interrupted',
      'session_lost',
    ],
    [
      'an id that is taken',
      open,
      exited(1),
      'Error: Session ID x is already in use.\n',
      'interrupted',
      'session_lost',
    ],
    [
      'an interruption',
      failed('', { terminal_reason: 'aborted_streaming' }),
      exited(0),
      '',
      'interrupted',
      'agent_crashed',
    ],
    ['no end, exit 0', open, exited(0), 'x', 'interrupted', 'agent_crashed'],
    ['no end, exit 1', open, exited(1), 'x', 'interrupted', 'agent_crashed'],
    ['no end, killed', open, killed, '', 'interrupted', 'agent_crashed'],
    ['no end, exit unknown', open, unknown, '', 'interrupted', 'agent_crashed'],
  ])('%s', (_name, translation, exit, stderr, kind, code) => {
    const outcome = judge(translation, endingOf(exit, stderr))
    expect(outcome.kind).toBe(kind)
    expect('failure' in outcome ? outcome.failure.code : undefined).toBe(code)
  })

  it.each([
    ["You've hit your limit · resets 9:05am (UTC)", '2026-11-21T09:06:00Z'],
    ["You've hit your weekly limit · resets Nov 24, 9am (UTC)", '2026-11-24T09:01:00Z'],
    ['Claude AI usage limit reached|1795251911', '2026-11-21T09:05:11Z'],
    ["You've hit your monthly spend limit.", null],
  ])('of a limit takes the time from its words: %s', (words, time) => {
    const resetsAt = time === null ? null : Date.parse(time)
    expect(judge(failed(words), endingOf(exited(1)))).toMatchObject({ kind: 'limited', resetsAt })
  })

  it('of a limit believes the event more than the words, until requests are let through', () => {
    const event = (status: string) => ({
      type: 'rate_limit_event',
      rate_limit_info: { status, resetsAt: 1_795_300_000 },
    })
    const words = 'API Error: Request rejected (429)'
    const end = result({ is_error: true, result: words })
    expect(judge(translate(event('rejected'), end).state, endingOf(exited(1)))).toMatchObject({
      kind: 'limited',
      resetsAt: 1_795_300_000_000,
    })
    const passed = translate(event('rejected'), event('allowed'), end).state
    expect(judge(passed, endingOf(exited(1)))).toMatchObject({ failure: { code: 'rate_limited' } })
  })

  it('says how it ended and the last thing that Claude Code complained of', () => {
    const stderr = 'error: unknown option\n[claude-code:unrecognized_model] {}\n'
    expect(judge(open, endingOf(exited(1), stderr))).toMatchObject({
      failure: {
        message: 'Claude Code ended before its turn did: exit code 1: error: unknown option',
      },
    })
  })
})
