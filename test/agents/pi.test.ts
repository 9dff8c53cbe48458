/** The adapter against the real Pi, pinned, with the scripted model behind it; offline. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pi } from '../../src/agents/pi/agent.ts'
import { writePiHome } from '../../src/demo/scripted-model/pi-home.ts'
import { say, shell, type Turn, usageLimit } from '../../src/demo/scripted-model/script.ts'
import type { SessionId } from '../../src/domain/ids.ts'
import { canConfine, confinedTest } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { useAgentHouse } from './agent-house.ts'
import { turnsOf } from './turns.ts'

const house = useAgentHouse(pi, 'pi', writePiHome)
const { run, start, there } = house

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
    const prompt = 'Make ünïcode.txt\n\twith “quotes” \\ and $HOME --json'
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
      'usage_reported',
      'command_started',
      'command_ended',
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
    ['a model error', httpError(400, 'bad shape'), 'model_error', /^400 bad shape/],
    ['a refused key', httpError(401, 'bad key'), 'auth', /^401/],
    ['too many requests', httpError(429, 'slow down'), 'rate_limited', /^429/],
    ['a broken server', httpError(500, 'boom'), 'model_unavailable', /^500/],
    ['a dropped stream', { kind: 'drop', when: 'mid' }, 'model_unavailable', /terminated/],
  ])('fails by %s, when Pi has given up', async (_name, turn, code, words) => {
    const end = await run([turn, turn])
    expect(end.events.at(-1)).toEqual({ kind: 'turn_ended', ok: false })
    expect(end.outcome).toMatchObject({
      failure: { code, message: expect.stringMatching(words) },
    })
  })

  it('goes on after one dropped stream: it has not failed in between', async () => {
    const end = await run([{ kind: 'drop', when: 'mid' }, say('Here again.')])
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.translation.answer).toBe('Here again.')
    const kinds = end.events.map(({ kind }) => kind)
    expect(kinds.filter(kind => kind === 'turn_ended' || kind === 'error_given')).toEqual([
      'turn_ended',
    ])
  })

  it('does not sleep through a usage limit, and says when it is lifted', async () => {
    await house.furnish({ clientRetries: 2 })
    const resetsAt = Date.now() + 3_600_000
    const end = await run([usageLimit(resetsAt), usageLimit(resetsAt)])
    expect(end.outcome).toMatchObject({ kind: 'limited', failure: { code: 'usage_limit' } })
    const until = end.outcome.kind === 'limited' ? (end.outcome.resetsAt ?? 0) : 0
    expect(Math.abs(until - resetsAt)).toBeLessThan(60_000)
  })

  it('cannot begin without a login, or with a model that is not there', async () => {
    const end = await run([], { model: 'nowhere' })
    expect(end.outcome).toMatchObject({ kind: 'failed', failure: { code: 'model_error' } })
    house.environment.PI_CODING_AGENT_DIR = join(house.root, 'empty')
    const loggedOut = await run([])
    expect(loggedOut.outcome).toMatchObject({ kind: 'failed', failure: { code: 'auth' } })
  })

  it('that hangs is silent, and may be ended and taken up again', async () => {
    const hanging = await start([shell('echo 1 > one.txt'), { kind: 'hang' }])
    await expect.poll(() => turnsOf(house.model).length, { timeout: 120_000 }).toBe(2)
    hanging.child.kill('SIGTERM')
    const end = await hanging.ended
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'agent_crashed' } })
    const second = await run([say('Back.')], { resume: end.translation.session })
    expect(second.outcome.kind).toBe('succeeded')
  })
})

describe('a session', () => {
  it('is resumed after Pi was killed in the middle of a command, with its history', async () => {
    // The command outlives Pi (its shell is a process session of its own): it ends by itself.
    const waiting = 'touch started; until [ -e ended ]; do sleep 0.01; done; touch over'
    const killed = await start([shell(waiting)], { prompt: 'the word is BLUEBERRY' })
    await expect.poll(() => there('started'), { timeout: 120_000 }).toBe(true)
    killed.child.kill('SIGKILL')
    const first = await killed.ended
    writeFileSync(join(house.workspace, 'ended'), '')
    expect(first.outcome).toMatchObject({
      kind: 'interrupted',
      failure: { code: 'agent_crashed', message: expect.stringContaining('killed by signal 9') },
    })
    const { session } = first.translation
    const second = await run([say('Back.')], { resume: session })
    expect(second.outcome.kind).toBe('succeeded')
    expect(second.translation).toMatchObject({ session, answer: 'Back.' })
    expect(history()).toContain('BLUEBERRY')
    expect(newest()?.conversation?.userTexts.at(-1)).toMatch(/^You were interrupted \(a test\)/)
  })

  it('that is unknown is lost, and not waited for', async () => {
    const session = '01a1fd7b-9568-7a40-9cd0-4d62aa8e6c99' as SessionId
    const end = await run([say('never')], { resume: session })
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'session_lost' } })
    expect(turnsOf(house.model)).toEqual([])
  })

  it('of another directory is not taken for this one’s', async () => {
    const first = await run([say('Here.')])
    const elsewhere = join(house.workspace, 'sub')
    mkdirSync(elsewhere)
    const end = await run([say('never')], {
      resume: first.translation.session,
      directory: elsewhere,
    })
    expect(end.outcome).toMatchObject({ failure: { code: 'session_lost' } })
  })

  it('ends with its command on SIGTERM', async () => {
    const running = await start([shell('echo $$ > pid; exec sleep 600')])
    await expect.poll(() => there('pid'), { timeout: 120_000 }).toBe(true)
    expect(pi.capabilities.gracefulSignal).toBe('SIGTERM')
    running.child.kill('SIGTERM')
    const end = await running.ended
    expect(end.outcome.kind).toBe('interrupted')
    expect(await house.waitUntilGone()).toEqual([])
  })
})

const waiting = (name: string) => `touch ${name}; until [ -e go-${name} ]; do sleep 0.02; done`
const reaches = (name: string) => expect.poll(() => there(name), { timeout: 120_000 }).toBe(true)
const go = (name: string) => writeFileSync(join(house.workspace, `go-${name}`), '')
/** What the newest request has from the user's side, from the prompt on. */
const told = () => newest()?.conversation?.userTexts.slice(1)

describe('a message', () => {
  it('in the middle of a turn is what the model hears next, once, in order and byte for byte', async () => {
    const talk = await start([shell(waiting('tool')), say('As you say.'), say('And so.')])
    await reaches('tool')
    const long = `/name 'x' "y" $(touch no) \\ \u2028\r\n\t${'ü'.repeat(100_000)}`
    talk.send('first')
    talk.send(long)
    // It has both, and works on.
    await expect.poll(() => talk.lines.join('\n'), { timeout: 120_000 }).toMatch(/message:2#/)
    expect(talk.state().heard).toBeUndefined()
    go('tool')
    const end = await talk.ended
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.translation).toMatchObject({ heard: [1, 2], answer: 'And so.' })
    expect(end.events.filter(({ kind }) => kind === 'turn_started')).toHaveLength(1)
    const [first, second, third] = turnsOf(house.model).map(
      turn => turn.conversation?.userTexts.slice(1) ?? [],
    )
    expect([first, second]).toEqual([[], ['first']])
    expect(third).toEqual(['first', `You are told:\n\n${long}`])
    expect(there('no')).toBe(false)
  })

  it('after the turn is the next one, and a stop ends that at once; the session goes on', async () => {
    const slow: Turn = { kind: 'reply', text: 'slow '.repeat(900), chunks: 900, chunkMs: 100 }
    const talk = await start([say('Done.'), say('Again.'), slow], { stays: true })
    const answered = (words: string) =>
      expect.poll(() => talk.state().answer, { timeout: 120_000 }).toBe(words)
    await answered('Done.')
    await expect.poll(() => talk.state().turn, { timeout: 120_000 }).toEqual({ ok: true })
    talk.send('more')
    await answered('Again.')
    expect(told()).toEqual(['more'])
    talk.send('and more')
    await expect.poll(() => talk.lines.at(-1), { timeout: 120_000 }).toMatch(/"slow /)
    talk.interrupt()
    await expect.poll(() => talk.state().turn?.ok, { timeout: 120_000 }).toBe(false)
    talk.end()
    const end = await talk.ended
    expect(end.outcome).toMatchObject({ kind: 'interrupted', failure: { code: 'agent_crashed' } })
    expect(end.translation.heard).toEqual([1, 2])
    const { session } = end.translation
    const again = await run([say('Back.')], { resume: session, oneShot: true })
    expect(again.outcome.kind).toBe('succeeded')
    expect(told()?.slice(0, 2)).toEqual(['more', 'and more'])
  })

  it('waits while Pi is about to try again, and is heard then', async () => {
    await house.furnish({ retryDelayMs: 2_000 })
    const broken = httpError(500, 'boom')
    const isTold = Promise.withResolvers<void>()
    const again: Turn = { kind: 'reply', text: 'Up again.', until: isTold.promise }
    const talk = await start([broken, again])
    await expect
      .poll(() => talk.events.map(({ kind }) => kind), { timeout: 120_000 })
      .toContain('warning_given')
    talk.send('hurry')
    isTold.resolve()
    const end = await talk.ended
    expect(end.translation).toMatchObject({ turn: { ok: true }, heard: [1] })
    expect(told()).toEqual(['hurry'])
  })
})

describe('a task that is to ask', () => {
  it('is asked before each edit and command, and what is refused is not done', async () => {
    const turns = [shell('touch one'), shell('touch two'), say('Tried.')]
    const talk = await start(turns, { asks: true, confined: canConfine })
    const asked = (words: string) =>
      eventually('it asks', () => talk.questions().find(({ text }) => text === words), 120_000)
    const first = await asked('bash: touch one')
    expect(there('one')).toBe(false)
    talk.answer(first.id, 'perhaps')
    expect(talk.questions()).toHaveLength(1)
    talk.answer(first.id, 'Yes')
    talk.answer((await asked('bash: touch two')).id, 'n')
    const end = await talk.ended
    expect([end.outcome.kind, there('one'), there('two')]).toEqual(['succeeded', true, false])
    expect(end.events).toContainEqual({
      kind: 'action_refused',
      action: 'bash: touch two',
      why: 'No',
    })
    expect(JSON.stringify(newest()?.body)).toContain('does not want it')
  })
})

describe('given its prompt alone', () => {
  it('does its work, and its session goes on in a dialogue', async () => {
    const first = await run([shell('echo hi > made.txt'), say('Made.')], { oneShot: true })
    expect([first.outcome.kind, first.exit, there('made.txt')]).toEqual([
      'succeeded',
      { kind: 'exited', code: 0 },
      true,
    ])
    const second = await run([say('Again.')], { resume: first.translation.session })
    expect(second.translation).toMatchObject({
      session: first.translation.session,
      answer: 'Again.',
    })
    expect(history()).toContain('Made.')
  })

  it('fails although it exits with 0', async () => {
    const turn = httpError(500, 'boom')
    const end = await run([turn, turn], { oneShot: true })
    expect(end.exit).toEqual({ kind: 'exited', code: 0 })
    expect(end.outcome).toMatchObject({ failure: { code: 'model_unavailable' } })
  })
})

describe('within the system’s confinement', () => {
  const TRY = [
    'echo x > inside.txt; echo x > ../outside.txt; touch .git/new',
    'echo x > ../agent-home/settings.json; echo x > ../agent-home/auth.json',
    'mkdir -p ../agent-home/extensions && echo x > ../agent-home/extensions/planted.ts',
    'node --version && git status --short',
  ].join('\n')

  confinedTest('Pi works, logged in, and changes nothing outside', async () => {
    const home = join(house.root, 'agent-home')
    writeFileSync(join(home, 'auth.json'), '{"own":{"type":"api_key","key":"sk"}}')
    const before = readdirSync(home).sort()
    const end = await run([shell(TRY), say('Tried.')], { confined: true })
    expect(end.stderr).toBe('')
    expect(end.outcome.kind).toBe('succeeded')
    expect(end.events).toContainEqual(
      expect.objectContaining({ kind: 'command_ended', exitCode: 0 }),
    )
    expect(there('inside.txt')).toBe(true)
    for (const path of ['../outside.txt', '.git/new'])
      expect([path, there(path)]).toEqual([path, false])
    expect(readdirSync(home).sort()).toEqual([...before, 'sessions'].sort())

    const again = await run([say('Again.')], { confined: true, resume: end.translation.session })
    expect(again.outcome.kind).toBe('succeeded')
    expect(history()).toContain('Tried.')
  })

  confinedTest('Pi works read-only, and where it has no home yet', async () => {
    const end = await run([shell(TRY), say('Tried.')], { confined: true, permissions: 'read-only' })
    expect(end.outcome.kind).toBe('succeeded')
    expect(there('inside.txt')).toBe(false)
    house.environment.PI_CODING_AGENT_DIR = join(house.root, 'new/home')
    const fresh = await run([], { confined: true })
    expect(fresh.outcome).toMatchObject({ failure: { code: 'auth' } })
    expect(existsSync(join(house.root, 'new/home/sessions'))).toBe(true)
  })
})
