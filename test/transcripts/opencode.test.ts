import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { judge } from '../../src/agents/opencode/judge.ts'
import { openCodeTranslator } from '../../src/agents/opencode/translate.ts'
import type { AgentExit, AttemptOutcome, FailureCode } from '../../src/domain/outcome.ts'
import type { Translation } from '../../src/ports/agent.ts'
import { endingOf, exited, killed, type Recorded, testRecorded, translateAll } from './recorded.ts'

const directory = join(import.meta.dirname, 'opencode')
const interrupted: AgentExit = { kind: 'signalled', signal: 2 }

/** A line of OpenCode's log as 1.18.33 writes it. */
const logged = (words: string, time = '2026-11-21T07:45:00.654Z') =>
  `timestamp=${time} level=ERROR run=53cb52f7 message="stream error" providerID=scripted modelID=scripted session.id=ses_1 small=false agent=build mode=primary error.error="AI_APICallError: ${words}"\n`

/** Recorded streams of 1.18.33, and how each process ended. */
const recorded: Recorded = {
  success: { exit: exited(0) },
  rmcwd_tool: { exit: exited(0) },
  perm_ask_noauto: { exit: exited(0) },
  http400: { exit: exited(1) },
  http429: { exit: exited(1) },
  dropmid: { exit: killed, stderr: logged('socket hang up', '2026-11-21T07:48:14.000Z') },
  sseerror: { exit: killed },
  kill9_tool: { exit: killed },
  kill9_tool_resume: { exit: exited(0) },
  sigint_tool: { exit: interrupted },
}

const { initial } = openCodeTranslator
const translateOne = (line: string) => openCodeTranslator.translate(initial, line)
const line = (type: string, fields: object) =>
  JSON.stringify({ type, sessionID: 'ses_1', timestamp: 1_795_247_000_000, ...fields })
const text = (words: string, messageID?: string) =>
  line('text', { part: { text: words, messageID } })
const finish = (reason: string, fields: object = {}) =>
  line('step_finish', { part: { reason, ...fields } })
const start = line('step_start', { part: {} })
const error = (fields: object) => line('error', { error: fields })

describe('recorded streams of OpenCode', () => {
  testRecorded({ translator: openCodeTranslator, judge }, directory, recorded)
})

describe('lines that OpenCode might write one day', () => {
  it('become an `other` event where the kind is not known', () => {
    const one = line('patch', { part: {} })
    expect(translateOne(one).events).toEqual([{ kind: 'other', type: 'patch', line: one }])
  })

  it.each([
    ['half a line', '{"type":"step_fin'],
    ['plain text', 'panic: out of memory'],
    ['a list', '[1,2]'],
  ])('become an `other` event where they are malformed: %s', (_name, one) => {
    const { state, events } = translateOne(one)
    expect(events).toEqual([{ kind: 'other', type: 'malformed', line: one }])
    expect(state).toBe(initial)
  })

  it('prove nothing where the field that matters is gone', () => {
    expect(translateOne(line('step_finish', { part: {} })).state.turn).toBeNull()
    expect(translateOne('{"type":"step_finish","part":{"reason":"stop"}}').state.turn).toBeNull()
  })

  it('may lack what only decorates', () => {
    const { state, events } = translateAll(openCodeTranslator, [
      '{"type":"step_start","sessionID":"ses_1"}',
      line('tool_use', { part: { tool: 'bash' } }),
      finish('stop', { tokens: { input: 'many', output: 7 }, cost: 'free' }),
    ])
    expect(events).toContainEqual({
      kind: 'command_ended',
      command: '',
      exitCode: null,
      output: '',
    })
    expect(state.turn).toEqual({ ok: true })
    expect(state.usage).toEqual({
      inputTokens: null,
      cachedInputTokens: null,
      outputTokens: 7,
      costUsd: null,
    })
  })

  it('may be 20 MB long, and do not swell the log', () => {
    const output = `${'x'.repeat(20 * 1024 * 1024)}end`
    const state = { status: 'completed', input: { command: 'yes' }, output }
    const ended = translateOne(line('tool_use', { part: { tool: 'bash', state } })).events.at(-1)
    expect(ended).toMatchObject({ kind: 'command_ended', output: expect.stringMatching(/x+end$/) })
    expect(JSON.stringify(ended).length).toBeLessThan(10_000)
  })
})

describe('a turn', () => {
  it('has ended with a step that stopped, unless another one begins', () => {
    expect(translateAll(openCodeTranslator, [start, finish('stop')]).state.turn).toEqual({
      ok: true,
    })
    const more = [start, finish('stop'), start]
    expect(translateAll(openCodeTranslator, more).state.turn).toBeNull()
    const wrong = [start, finish('stop'), error({ name: 'UnknownError' })]
    expect(translateAll(openCodeTranslator, wrong).state.turn).toMatchObject({ ok: false })
  })

  it.each(['length', 'content-filter'])('that ended with %s has failed', reason => {
    const { state } = translateAll(openCodeTranslator, [start, text('And so'), finish(reason)])
    expect(state).toMatchObject({ turn: { ok: false }, answer: null })
  })

  it('is answered by all texts of its last message', () => {
    const { state } = translateAll(openCodeTranslator, [
      text('First.', 'm1'),
      text('Last,\n', 'm2'),
      text('in two.', 'm2'),
      text('  ', 'm3'),
    ])
    expect(state.answer).toBe('Last,\n\nin two.')
  })

  it('has used what its steps have, the cache and the reasoning included', () => {
    const tokens = { input: 60, output: 20, reasoning: 5, cache: { read: 40, write: 1 } }
    const step = finish('tool-calls', { tokens, cost: 0.25 })
    expect(translateAll(openCodeTranslator, [step, step]).state.usage).toEqual({
      inputTokens: 202,
      cachedInputTokens: 80,
      outputTokens: 50,
      costUsd: 0.5,
    })
  })

  it('begins with the first event, whatever it is', () => {
    expect(translateOne(error({ name: 'ProviderAuthError' })).events).toEqual([
      { kind: 'session_started', session: 'ses_1' },
      { kind: 'turn_started' },
      { kind: 'error_given', message: 'ProviderAuthError' },
      { kind: 'turn_ended', ok: false },
    ])
  })
})

describe('tools', () => {
  const call = (tool: string, state: object) =>
    translateOne(line('tool_use', { part: { tool, state } })).events.at(-1)

  it('that change files name them', () => {
    const input = { filePath: '/w/a.txt' }
    expect(call('write', { status: 'completed', input })).toEqual({
      kind: 'files_changed',
      paths: ['/w/a.txt'],
    })
    expect(call('edit', { status: 'error', input, error: 'EROFS' })).toEqual({
      kind: 'warning_given',
      message: 'edit /w/a.txt failed: EROFS',
    })
  })

  it.each([
    'The user rejected permission to use this specific tool call.',
    'The user has specified a rule which prevents you from using this specific tool call. Here …',
  ])('are refused: %s', why => {
    const bash = { status: 'error', input: { command: 'rm -r x' }, error: why }
    expect(call('bash', bash)).toEqual({ kind: 'action_refused', action: 'rm -r x', why })
    const read = { status: 'error', input: { filePath: '/etc/x' }, error: why }
    expect(call('read', read)).toEqual({ kind: 'action_refused', action: 'read /etc/x', why })
  })
})

describe('the judgement', () => {
  const judgeError = (fields: object, stderr = ''): AttemptOutcome =>
    judge(translateAll(openCodeTranslator, [error(fields)]).state, endingOf(exited(1), stderr))
  const api = (statusCode: number, message: string, headers: object = {}) => ({
    name: 'APIError',
    data: { message, statusCode, isRetryable: true, responseHeaders: headers },
  })

  it.each<[object, FailureCode]>([
    [api(400, 'bad request shape'), 'model_error'],
    [api(401, 'bad key'), 'auth'],
    [{ name: 'ProviderAuthError', data: { message: 'expired' } }, 'auth'],
    [api(429, 'slow down'), 'rate_limited'],
    [api(429, 'Rate limit reached for x. Please try again in 2s.'), 'rate_limited'],
    [api(429, 'Daily limit reached'), 'usage_limit'],
    [api(429, 'weekly usage limit reached. It will reset in 3 days 4 hours'), 'usage_limit'],
    [api(500, 'boom'), 'model_unavailable'],
    [api(529, 'overloaded'), 'model_unavailable'],
    [{ name: 'UnknownError', data: { message: 'Cannot connect to API' } }, 'model_unavailable'],
    [{ name: 'ContextOverflowError', data: { message: 'too much' } }, 'context_overflow'],
    [{ name: 'MessageAbortedError', data: { message: 'Aborted' } }, 'agent_crashed'],
    [{}, 'model_error'],
  ])('of %j is %s', (fields, code) => {
    expect(judgeError(fields)).toMatchObject({ failure: { code } })
  })

  it('knows when to come back', () => {
    const said = 1_795_247_000_000
    expect(judgeError(api(429, 'slow down', { 'retry-after': '3600' }))).toMatchObject({
      kind: 'limited',
      failure: { code: 'usage_limit', message: expect.stringContaining('429 slow down (retry') },
      resetsAt: said + 3_600_000,
    })
    const date = new Date(said + 60_000).toUTCString()
    expect(judgeError(api(429, 'slow down', { 'retry-after': date }))).toMatchObject({
      kind: 'interrupted',
      notBefore: said + 60_000,
    })
    const days = judgeError(api(429, 'usage limit reached. It will reset in 3 days 4 hours'))
    expect(days).toMatchObject({ kind: 'limited', resetsAt: expect.any(Number) })
  })

  it('takes from the log what the event does not name', () => {
    const words = 'Unexpected server error. Check server logs for details.'
    const log =
      'timestamp=2026-11-29T04:26:48.469Z level=ERROR run=0416911b message=failed ref=err_1 error="ProviderModelNotFoundError: Model not found: scripted/nope." cause="x"\n'
    expect(judgeError({ name: 'UnknownError', data: { message: words } }, log)).toMatchObject({
      failure: {
        code: 'model_error',
        message: 'ProviderModelNotFoundError: Model not found: scripted/nope.',
      },
    })
  })

  const turnOf = (lines: readonly string[]): Translation =>
    translateAll(openCodeTranslator, lines).state
  const done = turnOf([start, text('Done.'), finish('stop')])

  it('proves a success by a step that stopped and exit code 0, and by nothing less', () => {
    expect(judge(done, endingOf(exited(0))).kind).toBe('succeeded')
    const others: readonly AgentExit[] = [exited(1), killed, { kind: 'unknown' }]
    for (const exit of others) {
      expect(judge(done, endingOf(exit))).toMatchObject({
        kind: 'interrupted',
        failure: { code: 'agent_crashed' },
      })
    }
    const open = turnOf([start, finish('tool-calls')])
    expect(judge(open, endingOf(exited(0)))).toMatchObject({ failure: { code: 'no_proof' } })
  })

  it.each<[string, FailureCode]>([
    ['quota gone', 'usage_limit'],
    ['Too Many Requests', 'rate_limited'],
    ['Bad Gateway', 'model_unavailable'],
  ])('of a silence that somebody ended, after "%s", is %s', (words, code) => {
    const outcome = judge(initial, endingOf(killed, logged('before') + logged(words)))
    expect(outcome).toMatchObject({ failure: { code, message: words } })
  })

  it('of a silence is not by what the log said before the last event', () => {
    const later = turnOf([line('step_start', { part: {}, timestamp: 1_795_247_200_000 })])
    const outcome = judge(later, endingOf(killed, logged('quota gone', '2026-11-21T07:40:00.000Z')))
    expect(outcome).toMatchObject({ failure: { code: 'agent_crashed' } })
  })

  it.each<[string, AgentExit, string, FailureCode]>([
    ['unknown session', exited(1), '\u001b[91mError: \u001b[0mSession not found\n', 'session_lost'],
    ['silence', exited(0), '', 'no_proof'],
    ['a signal', killed, '', 'agent_crashed'],
    ['an error', exited(1), 'EROFS: read-only file system\n', 'agent_crashed'],
    ['an end that nobody saw', { kind: 'unknown' }, '', 'agent_crashed'],
  ])('before any turn, by %s', (_name, exit, stderr, code) => {
    expect(judge(initial, endingOf(exit, stderr))).toMatchObject({ failure: { code } })
  })
})
