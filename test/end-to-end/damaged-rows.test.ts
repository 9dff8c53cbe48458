/** A damaged row costs that row only: everything else goes on, and it is told in words. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House, untilGo } from './house.ts'

/** What a flipped page makes of it: no JSON, JSON of another shape, JSON of another task. */
const DAMAGE = {
  'no JSON': '\'{"id":\'',
  bytes: "CAST(x'00ff00ff' AS TEXT)",
  null: "'null'",
  'another shape': "'{}'",
} as const

function damage(house: House, table: string, column: string, id: string, value: string): void {
  const store = new DatabaseSync(join(house.home, 'store.db'), { timeout: 30_000 })
  const { changes } = store
    .prepare(
      `UPDATE ${table} SET ${column} = ${value} WHERE ${table === 'tasks' ? 'id' : 'task'} = ?`,
    )
    .run(id)
  store.close()
  expect(changes).toBeGreaterThan(0)
}

test('of three ended tasks one is damaged: it alone is told as that, whatever the damage', async () => {
  const house = new House()
  const ids: string[] = []
  for (const word of ['one', 'two', 'three']) {
    const id = await house.submitScript(`echo ${word}; echo ${word} > made.txt`)
    await house.wait(id)
    ids.push(id)
  }
  const [, bad = ''] = ids
  await house.ok(['worker', 'stop'])
  for (const [name, value] of Object.entries(DAMAGE)) {
    for (const column of ['request_json', 'state_json']) {
      damage(house, 'tasks', column, bad, value)
      const { tasks, unreadable } = JSON.parse(await house.ok(['status', '--all', '--json']))
      expect(tasks.map(({ id }: { id: string }) => id).sort()).toEqual([ids[0], ids[2]].sort())
      expect([name, unreadable]).toEqual([
        name,
        [
          expect.objectContaining({
            id: bad,
            agent: 'command',
            state: 'succeeded',
            directory: join(house.home, 'tasks', bad),
            problem: expect.stringContaining(`the row of task ${bad} is damaged: `),
          }),
        ],
      ])
    }
    for (const command of ['status', 'result', 'wait', 'cancel', 'retry']) {
      const run = await house.run([command, bad])
      expect([name, command, run.code]).toEqual([name, command, 7])
      expect(run.stderr).toMatch(new RegExp(`task ${bad} is damaged[^]*tasks/${bad}`))
    }
    const doctor = await house.run(['doctor', '--json'])
    expect([name, doctor.code]).toEqual([name, 1])
    expect(doctor.stdout).toContain('tasks.request_json')
    // What the task directory and the log say, they still say.
    expect(await house.ok(['diff', bad])).toContain('+two')
    expect(await house.ok(['logs', bad])).toContain('succeeded')
  }
  const shown = await house.ok(['status'])
  expect(shown).toMatch(new RegExp(`^${bad} +unreadable .*doctor`, 'm'))
  expect(await house.ok(['logs', bad, '--raw'])).toBe('two\n')
  // The next task is handed in and done.
  const next = await house.submitScript('echo four')
  expect((await house.wait(next)).result?.answer).toBe('four')
}, 600_000)

test('a queued one is passed over, an active one is left to itself, the rest goes on', async () => {
  const house = new House({ HOLDFAST_WORKER_IDLE: '200ms' })
  const running = await house.submitScript(untilGo)
  await house.underWay(running)
  const queued = [await house.submitScript('echo a'), await house.submitScript('echo b')]
  await house.ok(['worker', 'stop'])
  damage(house, 'tasks', 'state_json', running, "'{'")
  damage(house, 'tasks', 'request_json', queued[0] ?? '', "'{'")
  expect((await house.wait(queued[1] ?? '')).state).toBe('succeeded')
  const { unreadable } = JSON.parse(await house.ok(['status', '--json']))
  expect(unreadable).toHaveLength(2)
  // The agent was not touched, and the worker does not stay for what it cannot do.
  expect(house.processes().some(line => line.includes('under-way'))).toBe(true)
  await eventually('the worker has left', () =>
    house.processes().every(line => !line.includes('worker run')),
  )
  house.write('go', '', house.worktree(running))
  await eventually('the agent has ended', () => house.processes().length === 0)
})

test('damage under a running worker ends neither it nor the other attempts', async () => {
  const house = new House({ HOLDFAST_SLOTS: '2' })
  const bad = await house.submitScript(untilGo)
  const good = await house.submitScript(untilGo)
  await house.underWay(bad)
  await house.underWay(good)
  const worker = await house.workerPid()
  damage(house, 'tasks', 'state_json', bad, "'{'")
  damage(house, 'attempts', 'translation_json', good, "'{'")
  house.write('go', '', house.worktree(bad))
  await eventually('it is left alone', () =>
    readFileSync(join(house.home, 'worker.log'), 'utf8').includes(`${bad} is left alone`),
  )
  house.write('go', '', house.worktree(good))
  expect(await house.wait(good)).toMatchObject({ state: 'succeeded', result: { answer: 'done' } })
  expect(await house.workerPid()).toBe(worker)
})

test('a task that waits for another fails with it, not the other with its damage', async () => {
  const house = new House()
  const first = await house.submitScript(untilGo)
  await house.underWay(first)
  const second = await house.submit(['command', '--after', first, '--', 'true'])
  damage(house, 'tasks', 'state_json', second, "'{'")
  house.write('go', '', house.worktree(first))
  expect((await house.wait(first)).state).toBe('succeeded')
})

test('a damaged line of the log is shown as that', async () => {
  const house = new House()
  const id = await house.submitScript('echo hello')
  await house.wait(id)
  damage(house, 'events', 'body_json', id, "'{'")
  expect(await house.ok(['logs', id])).toMatch(/warning: this line of the log is damaged/)
  expect(await house.ok(['result', id])).toBe('hello')
})
