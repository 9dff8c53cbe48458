/**
 * The adapter against the real OpenCode, pinned, with the scripted model behind it; offline. What the
 * matrix plays with Holdfast around it is not played again: each start of OpenCode takes 10 s.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { opencode } from '../../src/agents/opencode/agent.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import { confinedTest } from '../confined.ts'
import { useAgentHouse } from './agent-house.ts'
import { turnsOf } from './turns.ts'

const house = useAgentHouse(opencode, 'opencode', writeOpenCodeHome)
const { run, there } = house

const newest = () => turnsOf(house.model).at(-1)
const history = () => JSON.stringify(newest()?.body)
const httpError = (status: number, message: string, headers = {}): Turn => ({
  kind: 'http_error',
  status,
  headers,
  body: { error: { message } },
})

describe('a turn', () => {
  it('is finished, and its work, answer and usage are understood', async () => {
    const prompt = 'Make ünïcode.txt\n\twith “quotes” \\ and $HOME --format\n\n'
    const end = await run([shell('echo hi > made.txt', 'Making it.'), say('It is made.')], {
      prompt,
      model: 'scripted/scripted',
      effort: 'high',
    })
    expect(end.outcome).toEqual({ kind: 'succeeded' })
    expect(end.translation).toMatchObject({
      answer: 'It is made.',
      usage: { inputTokens: 200, cachedInputTokens: 80, outputTokens: 40, costUsd: null },
    })
    expect(end.events.map(event => event.kind)).toEqual([
      'session_started',
      'turn_started',
      'message_ended',
      'command_started',
      'command_ended',
      'usage_reported',
      'message_ended',
      'usage_reported',
      'turn_ended',
    ])
    expect(end.stderr).toBe('')
    expect(there('made.txt')).toBe(true)
    expect(newest()?.conversation?.userTexts.at(-1)?.endsWith(`\n\n${prompt}`)).toBe(true)
    expect(newest()?.body).toMatchObject({ reasoning_effort: 'high' })
  })

  it.each<[string, Turn, string, RegExp]>([
    ['a refused key', httpError(401, 'bad key'), 'auth', /^401/],
    ['too many requests', httpError(429, 'slow', { 'retry-after': '0' }), 'rate_limited', /^429/],
  ])('fails by %s', async (_name, turn, code, words) => {
    const end = await run(Array.from({ length: 7 }, () => turn))
    expect(end.exit).toEqual({ kind: 'exited', code: 1 })
    expect(end.outcome).toMatchObject({
      failure: { code, message: expect.stringMatching(words) },
    })
  })

  it('cannot begin with a model that is not there', async () => {
    const end = await run([], { model: 'scripted/missing' })
    expect(end.outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'model_error', message: expect.stringContaining('Model not found') },
    })
  })

  it('goes on after one dropped stream', async () => {
    const end = await run([{ kind: 'drop', when: 'mid' }, say('Here again.')])
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.translation.answer).toContain('Here again.')
  })
})

describe('a session', () => {
  it('that is unknown is lost, and not waited for', async () => {
    const end = await run([say('never')], { resume: 'ses_00000000000000000000000000' as SessionId })
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'session_lost' } })
    expect(turnsOf(house.model)).toEqual([])
  })

  it('goes on below the top of its worktree', async () => {
    const directory = join(house.workspace, 'a sub')
    mkdirSync(directory)
    const first = await run([shell('touch here.txt'), say('One.')], { directory })
    const end = await run([shell('touch again.txt'), say('Two.')], {
      directory,
      resume: first.translation.session,
    })
    expect(end.outcome.kind).toBe('succeeded')
    expect([there('a sub/here.txt'), there('a sub/again.txt')]).toEqual([true, true])
  })
})

describe('permissions', () => {
  it('that would be asked for are given', async () => {
    await house.furnish({ permission: { bash: 'ask' } })
    const end = await run([shell('touch made.txt'), say('Made.')])
    expect(end.outcome.kind).toBe('succeeded')
    expect(there('made.txt')).toBe(true)
  })
})

describe('within the system’s confinement', () => {
  const TRY = [
    'echo x > inside.txt; echo x > ../outside.txt; touch .git/new',
    'echo x > ../agent-home/config/opencode/opencode.json',
    'mkdir -p ../agent-home/config/opencode/plugin && echo x > ../agent-home/config/opencode/plugin/planted.ts',
    'echo x > ../agent-home/data/opencode/auth.json',
    'node --version && git status --short',
  ].join('\n')

  confinedTest('OpenCode works, logged in, and changes nothing that is obeyed later', async () => {
    const home = join(house.root, 'agent-home')
    const auth = join(home, 'data/opencode/auth.json')
    mkdirSync(join(home, 'data/opencode'), { recursive: true })
    writeFileSync(auth, '{"own":{"type":"api","key":"sk"}}')
    const end = await run([shell(TRY), say('Tried.')], { confined: true })
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.events).toContainEqual(
      expect.objectContaining({ kind: 'command_ended', exitCode: 0 }),
    )
    expect(there('inside.txt')).toBe(true)
    for (const path of [
      '../outside.txt',
      '.git/new',
      '../agent-home/config/opencode/opencode.json',
      '../agent-home/config/opencode/plugin',
    ]) {
      expect([path, there(path)]).toEqual([path, false])
    }
    expect(readFileSync(auth, 'utf8')).toContain('"sk"')

    const again = await run([say('Again.')], { confined: true, resume: end.translation.session })
    expect(again.outcome.kind).toBe('succeeded')
    expect(history()).toContain('Tried.')
  })

  confinedTest('OpenCode works read-only', async () => {
    const end = await run([shell(TRY), say('Tried.')], { confined: true, permissions: 'read-only' })
    expect(end.outcome.kind).toBe('succeeded')
    expect(there('inside.txt')).toBe(false)
  })
})
