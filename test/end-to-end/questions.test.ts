/** Agents that are talked to while they work: what they ask, who answers, and what survives. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { GroupView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'
import { terminal, tmux } from './terminal.ts'

const FIXTURE = fileURLToPath(new URL('../fixtures/acp-agent.mjs', import.meta.url))

function houseWithAgent(): House {
  const house = new House({ GEMINI_API_KEY: 'k' })
  const directory = join(house.scratch, 'fake-bin')
  mkdirSync(directory)
  copyFileSync(FIXTURE, join(directory, 'gemini'))
  chmodSync(join(directory, 'gemini'), 0o755)
  house.environment.PATH = `${directory}:${house.environment.PATH}`
  return house
}

const hand = (house: House, steps: string, ...flags: string[]) =>
  house.submit(['gemini', `do this: [${steps}]`, '--permissions', 'full', ...flags])

const lines = (house: House, name: string) => {
  const file = join(house.scratch, 'acp-sessions', name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

test('a task is done over the Agent Client Protocol, and its agent ended with the turn', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'write made.txt, garbage, unknown, late')
  const task = await house.wait(id)
  expect(task).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    agent: 'gemini',
    result: { answer: 'Done.', files: 1 },
    usage: { inputTokens: 100, outputTokens: 10 },
  })
  expect(task.session).toMatch(/^session-\d+$/)
  expect(await house.ok(['diff', id])).toContain('+by the agent')
  expect(lines(house, 'answers')[0]).toContain('-32601')
})

test('what it asks is answered from another terminal, once; and the first answer counts', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'ask rm -rf build, ask make', '--ask')
  const asking = await house.untilState(id, 'needs_input')
  expect(asking.question).toMatchObject({
    text: 'execute: rm -rf build',
    options: [
      { id: 'yes', label: 'Allow' },
      { id: 'always', label: 'Always allow' },
      { id: 'no', label: 'Reject' },
    ],
  })
  expect((await house.run(['wait', id])).code).toBe(9)
  const other = { directory: '/' }
  const shown = await house.run(['answer', id], other)
  expect(shown).toMatchObject({ code: 0, stdout: 'execute: rm -rf build\n' })
  expect(shown.stderr).toContain('1 Allow · 2 Always allow · 3 Reject')
  expect((await house.run(['answer', id, 'perhaps'], other)).code).toBe(2)
  const same = ['--question', asking.question?.id ?? '']
  const both = await Promise.all([
    house.run(['answer', id, '3', ...same], other),
    house.run(['answer', id, 'Allow', ...same], other),
  ])
  expect(both.map(({ code }) => code).sort()).toEqual([0, 5])
  await eventually('the next is asked', async () => {
    const { question } = await house.task(id)
    return question?.text === 'execute: make'
  })
  await house.ok(['answer', id, 'yes'])
  expect((await house.wait(id)).state).toBe('succeeded')
  const said = lines(house, 'answers').map(line => JSON.parse(line).result.outcome.optionId)
  expect(said).toHaveLength(2)
  expect(said[1]).toBe('yes')
  const { refused } = await house.evidence(id)
  expect(refused).toEqual(said[0] === 'no' ? [{ action: 'rm -rf build', why: 'Reject' }] : [])
})

test('without --ask nobody is asked, but for what permissions cannot decide', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'ask, form, form integer')
  const { question } = await house.untilState(id, 'needs_input')
  expect(question).toMatchObject({ text: 'Which branch?', options: [] })
  await house.ok(['answer', id, 'main; rm -rf "$HOME"'])
  await eventually('the next is asked', async () => {
    const { question } = await house.task(id)
    return question?.text === 'Which branch? [a whole number]'
  })
  // One that its agent would not take is refused: the first answer counts.
  const refused = await house.run(['answer', id, 'many'])
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.stderr).toContain('"many" does not answer')
  await house.ok(['answer', id, '3'])
  expect((await house.wait(id)).state).toBe('succeeded')
  const logs = await house.ok(['logs', id])
  expect(logs).toContain('The branch is main; rm -rf "$HOME".')
  expect(logs).toContain('The branch is 3.')
})

test('the worker killed while a question is pending, before and after the answer, loses nothing', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'ask', '--ask')
  await house.untilState(id, 'needs_input')
  const first = await house.workerPid()
  process.kill(first, 'SIGKILL')
  expect((await house.task(id)).question?.text).toBe('execute: rm -rf build')
  await house.ok(['answer', id, '1'])
  const second = await eventually('another worker is up', async () => {
    const pid = await house.workerPid()
    return pid !== first && pid
  })
  process.kill(second, 'SIGKILL')
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', attempt: 1 })
  // Neither lost nor said twice.
  expect(lines(house, 'answers')).toHaveLength(1)
  expect(lines(house, 'starts')).toHaveLength(1)
})

test('who waits is not sent away with a question that was answered, though no worker has passed it on', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'ask', '--ask')
  await house.untilState(id, 'needs_input')
  const worker = await house.suspendWorker()
  await house.ok(['answer', id, '1'])
  expect((await house.run(['wait', id, '--timeout', '1s'])).code).toBe(3)
  process.kill(worker, 'SIGCONT')
  expect((await house.wait(id)).state).toBe('succeeded')
})

test('killed with -9, its session is loaded and goes on', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'write first.txt, once death, write second.txt')
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', attempt: 2, result: { files: 2 } })
  const words = lines(house, task.session ?? '').join('\n')
  expect(words).toContain('You were interrupted')
  expect(words.match(/You run unattended/g)).toHaveLength(1)
})

test('a session that it does not know any more is begun anew', async () => {
  const house = houseWithAgent()
  const id = await hand(house, 'write a.txt, forget, once death')
  const task = await house.wait(id)
  // The second finds no session to load.
  const [, , third] = lines(house, 'starts')
  expect(task).toMatchObject({ state: 'succeeded', attempt: 3, session: `session-${third}` })
})

test.each([
  ['refuse', 'failed', 'model_error'],
  ['exit', 'failed', 'no_proof'],
])('%s is %s (%s)', async (step, state, code) => {
  const house = houseWithAgent()
  const task = await house.wait(await hand(house, step))
  expect(task).toMatchObject({ state, error: { code } })
})

test('a usage limit parks it, and a hanging turn is told to stop when it is cancelled', async () => {
  const house = houseWithAgent()
  const limited = await hand(house, 'limit')
  const parked = await house.untilState(limited, 'waiting')
  expect(Date.parse(parked.waitingUntil ?? '') - Date.now()).toBeGreaterThan(40 * 3_600_000)
  await house.ok(['cancel', limited])
  const hanging = await house.submit(
    ['gemini', 'do this: [write a.txt, hang]', '--permissions', 'full'],
    { environment: { GEMINI_API_KEY: 'another' } },
  )
  await eventually('it works', () => existsSync(join(house.worktree(hanging), 'a.txt')))
  await house.ok(['cancel', hanging])
  expect(await house.wait(hanging)).toMatchObject({ state: 'cancelled', result: { files: 1 } })
})

test('whoever waits for a group is told what its tasks ask, when none goes on by itself', async () => {
  const house = houseWithAgent()
  house.environment.HOLDFAST_SLOTS = '2'
  const words = ['do this: [ask make, write made.txt]', '--ask', '--permissions', 'full']
  const waited = await house.run(['run', '-a', 'gemini', '--best-of', '2', '--wait', ...words])
  expect(waited).toMatchObject({ code: 9, stderr: expect.stringContaining('asks: execute: make') })
  const asking = [...waited.stderr.matchAll(/^ {2}holdfast answer (\S+) 1$/gm)].map(([, id]) => id)
  expect(new Set(asking).size).toBe(2)
  for (const id of asking) await house.ok(['answer', id ?? '', '1'])
  for (const id of asking) expect((await house.wait(id ?? '')).state).toBe('succeeded')
})

test.skipIf(tmux === undefined)(
  'at a terminal each task of a group asks there, though their questions have one id; ctrl-c detaches',
  async () => {
    const house = houseWithAgent()
    house.environment.HOLDFAST_SLOTS = '2'
    const { type, until, shown } = terminal(house)
    const flags = '--best-of 2 --name race --ask --permissions full --wait'
    type(`'${process.execPath}' '${entry}' run -a gemini ${flags} 'do: [ask make]'; echo "left $?"`)
    type('Enter')
    await until('the first question', 'asks: execute: make')
    await eventually('both ask', async () => {
      const { tasks } = JSON.parse(await house.ok(['status', 'race', '--json'])) as GroupView
      return tasks.every(({ state }) => state === 'needs_input')
    })
    type('1', 'Enter')
    await eventually('the other one asks', () =>
      /(asks: execute: make[\s\S]*){2}> *$/.test(shown().trimEnd()),
    )
    type('C-c')
    await until('it has left', 'left 130')
    const { tasks } = JSON.parse(await house.ok(['status', 'race', '--json'])) as GroupView
    // Its answer may not have been passed on yet.
    const one = await eventually('one of them is left', async () => {
      const now = await Promise.all(tasks.map(({ id }) => house.task(id)))
      const open = now.filter(({ state }) => state === 'needs_input')
      return open.length === 1 && open[0]
    })
    await house.ok(['answer', one.id, '1'])
    for (const { id } of tasks) expect((await house.wait(id)).state).toBe('succeeded')
    expect(lines(house, 'answers')).toHaveLength(2)
    type('exit', 'Enter')
  },
)
