/** The whole, with the real Codex against the scripted model: what usually ends a task, does not. */
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  say,
  shell,
  type Turn,
  type TurnRequest,
  usageLimit,
} from '../../src/demo/scripted-model/script.ts'
import { type House, PATIENCE } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { heard, houseWithModel } from './house-with-model.ts'
import { killAllIn, othersIn } from './standing.ts'
import { turnsOf } from './turns.ts'

const exists = (house: House, id: string, name: string) =>
  eventually(`${name} is there`, () => existsSync(join(house.worktree(id), name)))

test('run from a linked worktree that is removed, the caller’s process group killed: it succeeds', async () => {
  const { house, model } = await houseWithModel([
    shell('echo agent >> kept.txt; touch under-way; while [ ! -e go ]; do sleep 0.05; done'),
    shell('unlink go; unlink under-way; cat "untracked ü.txt"'),
    say('Done.\nSecond line, with “quotes” and $(things).'),
  ])
  const caller = join(house.scratch, 'linked worktree')
  house.git('worktree', 'add', '--quiet', '--detach', caller)
  house.makeDirty(caller)
  house.makeDirty()
  const before = house.fingerprint()
  const run = house.start(['run', 'codex', 'change something', '--wait'], { directory: caller })
  let said = ''
  run.stderr?.on('data', chunk => {
    said += chunk
  })
  const id = await eventually('the task has an id', () => /^([a-z0-9]{10}) /m.exec(said)?.[1])
  await exists(house, id, 'under-way')
  process.kill(-(run.pid ?? 0), 'SIGKILL')
  await once(run, 'exit')
  house.git('worktree', 'remove', '--force', caller)
  house.write('go', '', house.worktree(id))

  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' },
  })
  for (const directory of ['/', house.scratch, house.repo]) {
    expect(JSON.parse(await house.ok(['status', '--json'], { directory })).tasks[0].id).toBe(id)
  }
  expect(await house.ok(['result', id], { directory: '/' })).toBe(
    'Done.\nSecond line, with “quotes” and $(things).',
  )
  const patch = await house.ok(['diff', id], { directory: '/' })
  expect(patch.match(/^[+-][^+-].*$/gm)).toEqual(['+agent'])
  expect(house.fingerprint()).toBe(before)
  expect(heard(model)[0]?.includes('change something')).toBe(true)
})

test('kill -9 of all that stands in the worktree, in mid-tool: one resumed attempt of the session', async () => {
  const { house, model } = await houseWithModel([
    shell('echo first >> kept.txt; touch under-way; exec sleep 300', 'I begin.'),
    shell('unlink under-way; echo second >> kept.txt'),
    say('All done.'),
  ])
  const id = await house.submit(['codex', 'REMEMBER-THIS please'])
  await exists(house, id, 'under-way')
  const { session } = await eventually('the session is known', async () => {
    const task = await house.task(id)
    return task.session !== null && task
  })
  expect(killAllIn(house.worktree(id))).toBeGreaterThanOrEqual(2)
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2, session })
  const resumed = heard(model)[1] ?? ''
  for (const history of ['REMEMBER-THIS', 'I begin.', 'You were interrupted']) {
    expect([history, resumed.includes(history)]).toEqual([history, true])
  }
  expect((await house.ok(['diff', id])).match(/^\+\w.*$/gm)).toEqual(['+first', '+second'])
  expect(othersIn(house.worktree(id))).toEqual([])
})

test('kill -9 in mid-model: one resumed attempt of the same session', async () => {
  const { house, model } = await houseWithModel([{ kind: 'hang' }, say('Here I am again.')])
  const id = await house.submit(['codex', 'think hard'])
  await eventually('the model was asked', () => heard(model).length === 1)
  await eventually('the session is known', async () => (await house.task(id)).session)
  expect(killAllIn(house.worktree(id))).toBeGreaterThanOrEqual(1)
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
  expect(heard(model)[1]?.includes('think hard')).toBe(true)
})

test('kill -9 of the worker alone, then of the wrapper alone: the same attempt is judged', async () => {
  const { house } = await houseWithModel([
    shell('touch under-way; while [ ! -e go ]; do sleep 0.05; done'),
    say('Finished.'),
  ])
  const id = await house.submit(['codex', 'x'])
  await exists(house, id, 'under-way')
  process.kill(await house.workerPid(), 'SIGKILL')
  process.kill(house.pid(id, 'wrapper'), 'SIGKILL')
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    result: { answer: 'Finished.' },
  })
})

test('cancel in mid-tool, with a tool in a process session of its own: nothing is left', async () => {
  const { house } = await houseWithModel([
    shell(
      'echo so far > work.txt; setsid sh -c "touch under-way; exec sleep 299" & exec sleep 298',
    ),
  ])
  const id = await house.submit(['codex', 'x'])
  await exists(house, id, 'under-way')
  // It would not have ended by itself; `cancel` waits for 30 s at most.
  await house.ok(['cancel', id])
  expect(house.processes().filter(line => /sleep 29[89]|bin\/codex/.test(line))).toEqual([])
  expect(await house.ok(['diff', id])).toContain('+so far')
  expect((await house.run(['result', id])).stdout).toBe('')
})

test('the worktree is deleted in mid-turn: worktree_lost, though Codex would succeed', async () => {
  const { house, model } = await houseWithModel([])
  const gate = join(house.scratch, 'gate')
  model.setTurns([
    shell(`touch under-way; until [ -e '${gate}' ]; do sleep 0.05; done; echo x > x.txt`),
    say('I believe that it worked.'),
  ])
  const id = await house.submit(['codex', 'x'])
  await exists(house, id, 'under-way')
  rmSync(house.worktree(id), { recursive: true })
  house.write('gate', '', house.scratch)
  expect(await house.wait(id)).toMatchObject({
    state: 'failed',
    error: { code: 'worktree_lost' },
  })
})

test('the repository is deleted in mid-turn: repository_lost, and the words stay readable', async () => {
  const { house } = await houseWithModel([
    shell('touch under-way; exec sleep 300', 'Some words.'),
    say('never said'),
  ])
  const id = await house.submit(['codex', 'x'])
  await exists(house, id, 'under-way')
  rmSync(house.repo, { recursive: true, maxRetries: 5 })
  const options = { directory: '/' }
  const { stdout } = await house.run(['wait', id, '--timeout', PATIENCE, '--json'], options)
  expect(JSON.parse(stdout).tasks[0]).toMatchObject({ error: { code: 'repository_lost' } })
  expect((await house.run(['result', id], options)).code).toBe(0)
  expect(await house.ok(['logs', id], options)).toContain('Some words.')
})

const httpError = (status: number): Turn => ({ kind: 'http_error', status })
const DROP: Turn = { kind: 'drop', when: 'mid' }

test.each([
  [400, 'model_error'],
  [401, 'auth'],
])('HTTP %i is a failed task at once, whatever the exit code says', async (status, code) => {
  const { house } = await houseWithModel(Array<Turn>(9).fill(httpError(status)))
  const id = await house.submit(['codex', 'x'])
  expect(await house.wait(id)).toMatchObject({ state: 'failed', attempt: 1, error: { code } })
  expect((await house.run(['wait', id])).code).toBe(1)
})

describe.each<[string, Turn]>([
  ['HTTP 500', httpError(500)],
  ['a stream that breaks', DROP],
])('%s', (_, turn) => {
  // Codex asks again by itself, so an attempt takes several turns.
  const isUp = ({ conversation }: TurnRequest) =>
    conversation.userTexts.some(text => text.includes('You were interrupted'))

  test('passes: the task is resumed in its session', async () => {
    const { house, model } = await houseWithModel([], {
      choose: asked => (isUp(asked) ? say('Up again.') : turn),
    })
    const id = await house.submit(['codex', 'REMEMBER-THIS'])
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      result: { answer: 'Up again.' },
    })
    const { timeline } = await house.evidence(id)
    expect(timeline.map(({ text }) => text).join('\n')).toContain('model_unavailable')
    expect(heard(model).at(-1)).toContain('REMEMBER-THIS')
  })

  test('stays, and no more failures are allowed: the task has failed', async () => {
    const { house } = await houseWithModel([], { choose: () => turn })
    const id = await house.submit(['codex', 'x', '--max-failures', '1'])
    expect(await house.wait(id)).toMatchObject({
      state: 'failed',
      attempt: 1,
      error: { code: 'max_failures' },
    })
    expect((await house.run(['wait', id])).code).toBe(1)
  })
})

test.each([
  ['dialogue', 'the second', 10_000],
  ['one-shot', 'the minute', 70_000],
])(
  '%s: a usage limit parks the task until %s that Codex names, or for somebody',
  async (talk, _, mostLate) => {
    // In mid-minute: who names the minute alone is told from who names the second.
    const resetsAt = Math.floor(Date.now() / 60_000) * 60_000 + 3 * 3_600_000 + 20_000
    const limit = { resetsAt, isLifted: false }
    const { house, model } = await houseWithModel([], {
      choose: () => (limit.isLifted ? say('Free again.') : usageLimit(limit.resetsAt)),
      environment: { HOLDFAST_TALK: talk },
    })
    const id = await house.submit(['codex', 'REMEMBER-THIS'])
    const parked = await house.untilState(id, 'waiting')
    expect(parked).toMatchObject({
      attempt: 1,
      reason: expect.stringMatching(/^usage_limit after /),
    })
    const late = Date.parse(parked.waitingUntil ?? '') - limit.resetsAt
    expect(late).toBeGreaterThanOrEqual(0)
    expect(late).toBeLessThan(mostLate)
    expect(heard(model)).toHaveLength(1)
    limit.isLifted = true
    await house.ok(['resume', id])
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      session: parked.session,
      result: { answer: 'Free again.' },
    })
  },
)

const liars: [string, string][] = [
  ['exits 0 without a word', 'exit 0'],
  ['exits 0 in mid-turn', `echo '{"type":"thread.started","thread_id":"t"}'; exit 0`],
  [
    'says that its turn failed and exits 0',
    `echo '{"type":"turn.failed","error":{"message":"no"}}'; exit 0`,
  ],
]

test.each(liars)('a Codex that %s has not succeeded', async (_, body) => {
  const { house } = await houseWithModel([])
  const fake = join(house.scratch, 'fake-bin')
  house.write(
    'codex',
    `#!/bin/sh\n[ "$1" = --version ] && { echo codex-cli 0.169.0; exit; }\n${body}\n`,
    fake,
  )
  chmodSync(join(fake, 'codex'), 0o755)
  const environment = { PATH: `${fake}:${house.environment.PATH}` }
  const id = await house.submit(['codex', 'x'], { environment })
  expect((await house.wait(id)).state).toBe('failed')
})

test('prompts of 1 MB and of shell metacharacters arrive byte for byte', async () => {
  const nasty = '--help $(touch pwned) `touch pwned` "\' \\ \u00e9\u{1F600}\n-rf * ; rm x\ttab'
  const large = `${'0123456789abcdef'.repeat(62_500)}`
  for (const prompt of [nasty, large]) {
    const { house, model } = await houseWithModel([say('ok')])
    const id = await house.submit(['-a', 'codex', '-'], { input: prompt })
    expect((await house.wait(id)).state).toBe('succeeded')
    expect(readFileSync(join(house.home, 'tasks', id, 'prompt'), 'utf8')).toBe(prompt)
    const texts = model.requests.flatMap(({ conversation }) => conversation?.userTexts ?? [])
    expect(texts.some(text => text.endsWith(prompt))).toBe(true)
    expect(existsSync(join(house.worktree(id), 'pwned'))).toBe(false)
  }
})

test('a read-only task reads, and changes nothing, also after it was resumed', async () => {
  const { house } = await houseWithModel([
    shell('cat kept.txt > copy.txt; echo write-exit=$?'),
    shell('exec sleep 300', 'sleeping'),
    shell('echo again > again.txt; echo write-exit=$?'),
    say('I only read.'),
  ])
  const id = await house.submit(['codex', 'look', '--permissions', 'read-only'])
  await eventually('it sleeps', async () => {
    const { stdout } = await house.run(['logs', id])
    return stdout.includes('$ ') && stdout.includes('sleep 300')
  })
  killAllIn(house.worktree(id))
  const task = await house.wait(id)
  expect(task).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    permissions: { effective: 'read-only', enforcedBy: 'agent' },
    result: { files: 0 },
  })
  // Once before the kill and once after the resume, the shell could not write.
  const log = await house.ok(['logs', id, '-n', '100'])
  expect(log.match(/write-exit=[1-9]/g)).toHaveLength(2)
})

test('without a login the task is refused with the way to one, and nothing is made', async () => {
  const { house } = await houseWithModel([])
  const environment = { CODEX_HOME: join(house.scratch, 'empty-codex-home') }
  const before = house.git('for-each-ref')
  const { code, stderr } = await house.run(['run', 'codex', 'x'], { environment })
  expect(code).toBe(6)
  expect(stderr).toContain('codex login')
  expect(house.git('for-each-ref')).toBe(before)
  expect(existsSync(join(house.home, 'tasks'))).toBe(false)
})

test('a final answer is held to a schema, also after a resume', async () => {
  const answer = '{"ok":true}'
  const { house, model } = await houseWithModel([
    shell('touch under-way; exec tail -f /dev/null'),
    say(answer),
  ])
  const schema = {
    type: 'object',
    properties: { ok: { type: 'boolean' } },
    required: ['ok'],
    additionalProperties: false,
  }
  house.write('answer.json', JSON.stringify(schema))
  const id = await house.submit(['codex', 'is it?', '--output-schema', 'answer.json'])
  await exists(house, id, 'under-way')
  process.kill(house.pid(id), 'SIGKILL')
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2, result: { answer } })
  const formats = turnsOf(model).map(
    ({ body }) => (body as { text?: { format?: { schema?: unknown } } }).text?.format?.schema,
  )
  expect(formats).toEqual([schema, schema])
})
