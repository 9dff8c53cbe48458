import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { judge } from '../../src/agents/codex/judge.ts'
import { codexTranslator } from '../../src/agents/codex/translate.ts'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { AgentExit, AttemptOutcome } from '../../src/domain/outcome.ts'
import type { Translation } from '../../src/ports/agent.ts'
import { endingOf, exited, killed, type Recorded, testRecorded, translateAll } from './recorded.ts'

const directory = join(import.meta.dirname, 'codex')
const activeWriter =
  'Error: thread/resume: thread/resume failed: thread 01a1fd1e-cf39-7853-ab6f-efcf1b25f765 already has an active writer (code -32600)\n'

const ended: AgentExit = { kind: 'signalled', signal: 2 }

/** Recorded streams, and how each process ended. From 0.169.0 where no version is in the name. */
const recorded: Recorded = {
  success: { exit: exited(0) },
  'success_0.80.0': { exit: exited(0) },
  'success_0.120.0': { exit: exited(0) },
  schema: { exit: exited(0) },
  file_change: { exit: exited(0) },
  exec_review: { exit: exited(0) },
  hang_idle: { exit: exited(0) },
  rmcwd_model: { exit: exited(0) },
  dropmid: { exit: exited(1) },
  http400: { exit: exited(1) },
  http401: { exit: exited(1) },
  http429: { exit: exited(1) },
  http500: { exit: exited(1) },
  sseerror: { exit: exited(1) },
  usagelimit: { exit: exited(1) },
  kill9_model: { exit: killed },
  kill9_model_resume: { exit: exited(0) },
  kill9_tool: { exit: killed },
  kill9_tool_resume: { exit: exited(0) },
  orphan_resume: { exit: exited(1), stderr: activeWriter },
  sigint_tool: { exit: exited(1), stderr: 'Reading additional input from stdin...\n' },
  // Over the app-server, and ended by us with the turn.
  appserver_success: { exit: ended },
  appserver_messages: { exit: ended },
  appserver_goal: { exit: ended },
  appserver_asks: { exit: ended },
  appserver_dropmid: { exit: ended },
  appserver_usagelimit: { exit: ended },
  appserver_http401: { exit: ended },
  appserver_interrupt: { exit: ended },
  appserver_lost: { exit: ended },
  appserver_blocked: { exit: ended },
}

const translateOne = (line: string) => codexTranslator.translate(codexTranslator.initial, line)
const item = (fields: object, type = 'item.completed') => JSON.stringify({ type, item: fields })

describe('recorded streams of Codex', () => {
  testRecorded({ translator: codexTranslator, judge }, directory, recorded)
})

describe('lines that Codex might write one day', () => {
  it('become an `other` event where the kind is not known', () => {
    const line = '{"type":"turn.steered","by":"user"}'
    expect(translateOne(line).events).toEqual([{ kind: 'other', type: 'turn.steered', line }])
  })

  it('become an `other` event where the item is not known', () => {
    const line = item({ id: 'item_1', type: 'web_search', query: 'holdfast' })
    expect(translateOne(line).events).toEqual([
      { kind: 'other', type: 'item.completed:web_search', line },
    ])
  })

  it.each([
    ['half a line', '{"type":"turn.comp'],
    ['plain text', 'panicked at src/main.rs'],
    ['null', 'null'],
    ['a list', '[1,2]'],
    ['an object without a type', '{"usage":{}}'],
  ])('become an `other` event where they are malformed: %s', (_name, line) => {
    const { state, events } = translateOne(line)
    expect(events).toEqual([{ kind: 'other', type: 'malformed', line }])
    expect(state).toBe(codexTranslator.initial)
  })

  it('are passed over where they are empty', () => {
    expect(translateOne('  ').events).toEqual([])
  })

  it('may bear new fields, and lack those that only decorate', () => {
    const { state, events } = translateAll(codexTranslator, [
      '{"type":"thread.started","thread_id":"t1","title":"new"}',
      item({ type: 'command_execution', command: 'ls', cwd: '/' }),
      '{"type":"turn.completed","usage":{"input_tokens":"many","output_tokens":7}}',
    ])
    expect(events).toContainEqual({
      kind: 'command_ended',
      command: 'ls',
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

  it('prove the end of a turn also where everything else about it has changed', () => {
    expect(translateOne('{"type":"turn.completed","usage":12}').state).toMatchObject({
      turn: { ok: true },
      usage: null,
    })
    const failed = translateOne('{"type":"turn.failed","error":"no"}')
    expect(failed.state.turn).toMatchObject({ ok: false })
  })

  it('prove nothing where the field that matters is gone', () => {
    expect(translateOne('{"type":"thread.started"}').events[0]?.kind).toBe('other')
    expect(translateOne(item({ type: 'agent_message' })).state.answer).toBeNull()
  })

  it('may be 20 MB long, and do not swell the log', () => {
    const output = 'x'.repeat(20 * 1024 * 1024)
    const [ended] = translateOne(
      item({ type: 'command_execution', command: 'yes', aggregated_output: `${output}end` }),
    ).events
    expect(ended).toMatchObject({ kind: 'command_ended', output: expect.stringMatching(/x+end$/) })
    expect(JSON.stringify(ended).length).toBeLessThan(10_000)
    const [garbage] = translateOne(output).events
    expect(JSON.stringify(garbage).length).toBeLessThan(10_000)
  })
})

describe('items', () => {
  it.each<[string, object, AgentEvent]>([
    ['reasoning', { type: 'reasoning', text: 'hm' }, { kind: 'reasoning_ended', text: 'hm' }],
    [
      'a patch that failed',
      { type: 'file_change', changes: [{ path: '/a', kind: 'update' }], status: 'failed' },
      { kind: 'warning_given', message: 'Codex could not change /a' },
    ],
    [
      'an MCP call that failed',
      { type: 'mcp_tool_call', server: 's', tool: 't', status: 'failed', error: { message: 'no' } },
      { kind: 'warning_given', message: 's.t failed: no' },
    ],
    [
      'a warning',
      { type: 'error', message: 'Model metadata not found' },
      { kind: 'warning_given', message: 'Model metadata not found' },
    ],
  ])('%s', (_name, fields, event) => {
    expect(translateOne(item(fields)).events).toEqual([event])
  })

  it('that were refused are said to be', () => {
    const declined = item({ type: 'command_execution', command: 'rm -r /', status: 'declined' })
    expect(translateOne(declined).events.map(event => event.kind)).toEqual([
      'action_refused',
      'command_ended',
    ])
    const edit = item({ type: 'file_change', changes: [{ path: '/a' }], status: 'declined' })
    expect(translateOne(edit).events).toEqual([
      { kind: 'action_refused', action: 'change /a', why: 'declined by Codex' },
    ])
  })
})

describe('the answer', () => {
  const message = (text: string) => item({ type: 'agent_message', text })

  it('is the last message of the turn', () => {
    expect(translateAll(codexTranslator, [message('one'), message('two')]).state.answer).toBe('two')
  })

  it('is not taken from a turn that failed, nor from the one before', () => {
    const failed = '{"type":"turn.failed","error":{"message":"no"}}'
    expect(translateAll(codexTranslator, [message('one'), failed]).state.answer).toBeNull()
    expect(
      translateAll(codexTranslator, [message('one'), '{"type":"turn.started"}']).state.answer,
    ).toBeNull()
  })
})

describe('judging', () => {
  const ok: Translation = { ...codexTranslator.initial, turn: { ok: true } }
  const open = codexTranslator.initial
  const failed = (message: string): Translation => ({ ...open, turn: { ok: false, message } })
  const unknown: AgentExit = { kind: 'unknown' }

  it.each<[string, Translation, AgentExit, string, AttemptOutcome['kind'], string?]>([
    ['a finished turn', ok, exited(0), '', 'succeeded'],
    ['a finished turn, then a crash', ok, killed, '', 'succeeded'],
    ['a finished turn, exit unknown', ok, unknown, '', 'succeeded'],
    ['a failed turn that exits 0', failed('boom'), exited(0), '', 'failed', 'model_error'],
    ['401', failed('unexpected status 401 Unauthorized: bad'), exited(1), '', 'failed', 'auth'],
    ['a lost login', failed('Please log out and sign in again.'), exited(1), '', 'failed', 'auth'],
    [
      'a usage limit, also as 429',
      failed('last status: 429; You’ve hit your usage limit.'),
      exited(1),
      '',
      'limited',
      'usage_limit',
    ],
    [
      '429',
      failed('exceeded retry limit, last status: 429 Too Many'),
      exited(1),
      '',
      'interrupted',
      'rate_limited',
    ],
    [
      '5xx',
      failed('unexpected status 503: busy'),
      exited(1),
      '',
      'interrupted',
      'model_unavailable',
    ],
    [
      'a number that is no status',
      failed('line 401 is bad'),
      exited(1),
      '',
      'failed',
      'model_error',
    ],
    ['no end, exit 0', open, exited(0), 'x', 'failed', 'no_proof'],
    ['no end, exit 1', open, exited(1), 'x', 'interrupted', 'agent_crashed'],
    ['no end, killed', open, killed, '', 'interrupted', 'agent_crashed'],
    ['no end, exit unknown', open, unknown, '', 'interrupted', 'agent_crashed'],
    ['a writer that still lives', open, exited(1), activeWriter, 'interrupted', 'agent_crashed'],
    [
      'a lost session',
      open,
      exited(1),
      'Error: thread/resume failed: no rollout found for thread id 01 (code -32600)',
      'interrupted',
      'session_lost',
    ],
  ])('%s', (_name, translation, exit, stderr, kind, code) => {
    const outcome = judge(translation, endingOf(exit, stderr))
    expect(outcome.kind).toBe(kind)
    expect('failure' in outcome ? outcome.failure.code : undefined).toBe(code)
  })

  it('says how it ended and the last thing that Codex complained of', () => {
    const stderr = 'first\nError: config is bad\nReading prompt from stdin...\n'
    const outcome = judge(open, endingOf(exited(1), stderr))
    expect(outcome).toMatchObject({
      failure: { message: 'Codex ended before its turn did: exit code 1: Error: config is bad' },
    })
  })
})
