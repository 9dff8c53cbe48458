import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { judge } from '../../src/agents/pi/judge.ts'
import { findLongWait } from '../../src/agents/pi/long-waits.ts'
import { piTranslator } from '../../src/agents/pi/translate.ts'
import type { AgentExit, AttemptOutcome, FailureCode } from '../../src/domain/outcome.ts'
import type { Translation } from '../../src/ports/agent.ts'
import { endingOf, exited, killed, type Recorded, testRecorded, translateAll } from './recorded.ts'

const directory = join(import.meta.dirname, 'pi')
const terminated: AgentExit = { kind: 'signalled', signal: 2 }
const longWait = 'holdfast: HTTP 429, retry after 2026-11-21T08:46:00.000Z\n'

/** Recorded streams of 0.73.1, and how each process ended. */
const recorded: Recorded = {
  success: { exit: exited(0) },
  rmcwd_tool: { exit: exited(0) },
  dropmid: { exit: exited(0) },
  http400: { exit: exited(0) },
  http500: { exit: exited(0) },
  usagelimit: { exit: killed, stderr: longWait },
  usagelimit_capped: { exit: exited(0), stderr: longWait },
  kill9_tool: { exit: killed },
  kill9_tool_resume: { exit: exited(0) },
  sigint_tool: { exit: terminated },
  // Over its RPC, until it was stopped.
  rpc_messages: { exit: exited(143) },
  rpc_http500: { exit: exited(143) },
  rpc_abort: { exit: exited(143) },
  rpc_asks: { exit: exited(143) },
}

const translateOne = (line: string) => piTranslator.translate(piTranslator.initial, line)
const message = (fields: object) =>
  JSON.stringify({ type: 'message_end', message: { role: 'assistant', ...fields } })
const text = (words: string) => ({ type: 'text', text: words })

describe('recorded streams of Pi', () => {
  testRecorded({ translator: piTranslator, judge }, directory, recorded)
})

describe('lines that Pi might write one day', () => {
  it('become an `other` event where the kind is not known', () => {
    const line = '{"type":"mood_update","mood":[]}'
    expect(translateOne(line).events).toEqual([{ kind: 'other', type: 'mood_update', line }])
  })

  it.each([
    ['half a line', '{"type":"agent_e'],
    ['plain text', 'TypeError: x is not a function'],
    ['a list', '[1,2]'],
  ])('become an `other` event where they are malformed: %s', (_name, line) => {
    const { state, events } = translateOne(line)
    expect(events).toEqual([{ kind: 'other', type: 'malformed', line }])
    expect(state).toBe(piTranslator.initial)
  })

  it('may have their keys in another order', () => {
    const update = '{"message":{"role":"assistant","content":[]},"type":"message_update"}'
    expect(translateOne(update)).toEqual({ state: piTranslator.initial, events: [] })
  })

  it('prove nothing where the field that matters is gone', () => {
    const { state } = translateAll(piTranslator, [
      '{"type":"agent_start"}',
      message({ content: [text('Done.')] }),
      '{"type":"agent_end"}',
    ])
    expect(state.turn).toEqual({ ok: false, message: 'the turn ended with no reason' })
  })

  it('may lack what only decorates', () => {
    const { state, events } = translateAll(piTranslator, [
      '{"type":"agent_start"}',
      '{"type":"tool_execution_end","toolCallId":"1","toolName":"bash"}',
      message({ content: 'no list', usage: { input: 'many', output: 7 }, stopReason: 'stop' }),
      '{"type":"agent_end","messages":7}',
    ])
    expect(events).toContainEqual({ kind: 'command_ended', command: '', exitCode: 0, output: '' })
    expect(state.turn).toEqual({ ok: true })
    expect(state.usage).toMatchObject({ inputTokens: null, outputTokens: 7 })
  })

  it('may be 20 MB long, and do not swell the log', () => {
    const result = { content: [text(`${'x'.repeat(20 * 1024 * 1024)}end`)] }
    const [ended] = translateOne(
      JSON.stringify({ type: 'tool_execution_end', toolCallId: '1', toolName: 'bash', result }),
    ).events
    expect(ended).toMatchObject({ kind: 'command_ended', output: expect.stringMatching(/x+end$/) })
    expect(JSON.stringify(ended).length).toBeLessThan(10_000)
  })
})

describe('a turn', () => {
  const failing = message({ content: [], stopReason: 'error', errorMessage: '500 boom' })
  const retry = '{"type":"auto_retry_start","attempt":1,"delayMs":2000,"errorMessage":"500 boom"}'

  it('goes on while Pi tries again, and is as the last try was', () => {
    const start = '{"type":"agent_start"}'
    const end = '{"type":"agent_end","messages":[]}'
    const good = message({ content: [text('Here.')], stopReason: 'stop' })
    const first = translateAll(piTranslator, [start, failing, end])
    expect(first.state.turn).toEqual({ ok: false, message: '500 boom' })
    expect(translateAll(piTranslator, [start, failing, end, retry]).state.turn).toBeNull()
    const last = translateAll(piTranslator, [start, failing, end, retry, start, good, end])
    expect(last.state).toMatchObject({ turn: { ok: true }, answer: 'Here.' })
  })

  it('that was cut off in the middle of an answer has failed', () => {
    const { state } = translateAll(piTranslator, [
      '{"type":"agent_start"}',
      message({ content: [text('And so')], stopReason: 'length' }),
      '{"type":"agent_end"}',
    ])
    expect(state).toMatchObject({ turn: { ok: false }, answer: null })
  })

  it('has used what all of its messages have, the cache included', () => {
    const usage = { input: 60, output: 20, cacheRead: 40, cacheWrite: 5, cost: { total: 0.25 } }
    const one = message({ content: [], usage, stopReason: 'toolUse' })
    expect(translateAll(piTranslator, [one, one]).state.usage).toEqual({
      inputTokens: 210,
      cachedInputTokens: 80,
      outputTokens: 40,
      costUsd: 0.5,
    })
  })

  it('is answered by all texts of its last message, as Pi prints them', () => {
    const content = [{ type: 'thinking', thinking: 'hm' }, text('One.\n'), text('Two.')]
    const { state, events } = translateOne(message({ content, stopReason: 'stop' }))
    expect(state.answer).toBe('One.\n\nTwo.')
    expect(events[0]).toEqual({ kind: 'reasoning_ended', text: 'hm' })
  })
})

describe('tools', () => {
  const call = (toolName: string, args: object, said: string, isError = false) => {
    const one = { toolCallId: 'c1', toolName }
    return translateAll(piTranslator, [
      JSON.stringify({ type: 'tool_execution_start', ...one, args }),
      JSON.stringify({
        type: 'tool_execution_end',
        ...one,
        result: { content: [text(said)] },
        isError,
      }),
    ]).events.at(-1)
  }

  it('that run commands say the exit code in words', () => {
    const end = (said: string, isError: boolean) => call('bash', { command: 'x' }, said, isError)
    expect(end('fine', false)).toMatchObject({ command: 'x', exitCode: 0 })
    expect(end('bad\n\nCommand exited with code 3', true)).toMatchObject({ exitCode: 3 })
    expect(end('Command timed out after 5 seconds', true)).toMatchObject({ exitCode: null })
  })

  it('that change files name them', () => {
    expect(call('edit', { path: 'a.txt' }, 'ok')).toEqual({
      kind: 'files_changed',
      paths: ['a.txt'],
    })
    expect(call('write', { path: 'a.txt' }, 'EROFS', true)).toEqual({
      kind: 'warning_given',
      message: 'write a.txt failed: EROFS',
    })
  })
})

describe('updates', () => {
  it('of a long message are passed over without being read', () => {
    const update = `{"type":"message_update","message":"${'x'.repeat(1_000_000)}`
    const began = performance.now()
    for (let i = 0; i < 1_000; i++) piTranslator.translate(piTranslator.initial, update)
    // A gigabyte; read, it would take seconds.
    expect(performance.now() - began).toBeLessThan(500)
  })
})

describe('the judgement', () => {
  const failed = (words: string): Translation => ({
    ...piTranslator.initial,
    turn: { ok: false, message: words },
  })
  const judgeWords = (words: string, stderr = ''): AttemptOutcome =>
    judge(failed(words), endingOf(exited(0), stderr))

  it.each<[string, FailureCode]>([
    ['400 bad request shape', 'model_error'],
    ['401 Incorrect API key provided', 'auth'],
    ['403 forbidden', 'auth'],
    ['No API key found for anthropic.', 'auth'],
    ['429 slow down', 'rate_limited'],
    ['429 You exceeded your current quota', 'usage_limit'],
    ['You have hit your ChatGPT usage limit (plus plan). Try again in ~12 min.', 'usage_limit'],
    ['500 boom', 'model_unavailable'],
    ['529 overloaded_error', 'model_unavailable'],
    ['terminated', 'model_unavailable'],
    ['Connection error.', 'model_unavailable'],
    ['Request timed out.', 'model_unavailable'],
    ['400 prompt is too long: 210000 tokens > 200000 maximum', 'context_overflow'],
    ['400 Your input exceeds the context window of this model', 'context_overflow'],
    ['Request was aborted.', 'agent_crashed'],
    ['something else', 'model_error'],
  ])('of "%s" is %s', (words, code) => {
    expect(judgeWords(words)).toMatchObject({ failure: { code, message: words } })
  })

  it('tells a long limit from a busy minute by when it ends', () => {
    const until = (time: string) => `holdfast: HTTP 429, retry after ${time}\n`
    expect(judgeWords('429 slow down', until('2026-11-21T08:46:00.000Z'))).toEqual({
      kind: 'limited',
      failure: { code: 'usage_limit', message: '429 slow down' },
      resetsAt: Date.parse('2026-11-21T08:46:00Z'),
    })
    expect(judgeWords('429 slow down', until('2026-11-21T07:48:00.000Z'))).toEqual({
      kind: 'interrupted',
      failure: { code: 'rate_limited', message: '429 slow down' },
      notBefore: Date.parse('2026-11-21T07:48:00Z'),
    })
  })

  it('knows when a subscription is good again', () => {
    const words = 'You have hit your ChatGPT usage limit. Try again in ~12 min.'
    expect(judgeWords(words)).toMatchObject({ resetsAt: Date.parse('2026-11-21T07:58:00Z') })
  })

  it.each<[string, AgentExit, string, FailureCode]>([
    ['an unknown session', exited(1), "No session found matching 'x'\n", 'session_lost'],
    [
      'a session of elsewhere',
      exited(0),
      'Session found in different project: /a\n',
      'session_lost',
    ],
    [
      'no login',
      exited(1),
      'No models available. Use /login to log in. See:\n  /docs/providers.md\n',
      'auth',
    ],
    ['a model that is not there', exited(1), 'Error: Model "x" not found. Use\n', 'model_error'],
    ['silence', exited(0), '', 'no_proof'],
    ['a signal', killed, '', 'agent_crashed'],
    ['an error', exited(1), 'Error: spawn ENOMEM\n', 'agent_crashed'],
    ['a wait that somebody ended', killed, longWait, 'usage_limit'],
    ['an end that nobody saw', { kind: 'unknown' }, '', 'agent_crashed'],
  ])('before any turn, by %s', (_name, exit, stderr, code) => {
    expect(judge(piTranslator.initial, endingOf(exit, stderr))).toMatchObject({ failure: { code } })
  })
})

it('of several long waits the last one counts', () => {
  const later = 'noise\nholdfast: HTTP 503, retry after 2026-11-21T09:00:00.000Z\nmore\n'
  expect(findLongWait(longWait + later)).toEqual({
    status: 503,
    until: Date.parse('2026-11-21T09:00:00Z'),
  })
  expect(findLongWait('')).toBeUndefined()
})
