/** A store that is locked, or that is none: one line, exit 7, and nothing made or changed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

const storeOf = (house: House) => join(house.home, 'store.db')

/** Another program that writes the store, until its stdin ends. */
async function lockStore(house: House) {
  const program = `
    const { DatabaseSync } = require('node:sqlite')
    const store = new DatabaseSync(process.argv[1], { timeout: 60_000 })
    store.exec('BEGIN IMMEDIATE')
    process.stdout.write('locked')
    process.stdin.resume().on('end', () => store.exec('ROLLBACK'))
  `
  const holder = spawn(process.execPath, ['-e', program, storeOf(house)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  return {
    pid: holder.pid,
    async letGo() {
      holder.stdin.end()
      await once(holder, 'exit')
    },
  }
}

test('a store that another program locks for too long: that is said, with who it is', async () => {
  const house = new House()
  await house.ok(['status'])
  const holder = await lockStore(house)
  const asked = house.run(['run', 'command', '--', 'true'])
  // It waits within the write: the base is there, and no row.
  await eventually('it has taken its base', () => house.git('for-each-ref').includes('holdfast'))
  expect((await house.run(['status'])).code).toBe(0)
  const refused = await asked
  expect(refused).toMatchObject({ code: 7, stdout: '' })
  expect(refused.stderr).toMatch(
    new RegExp(`^holdfast: the store .* is locked by pid ${holder.pid} \\(.*node.*\\n  .*\\n$`),
  )
  await holder.letGo()
  // What was refused has left nothing.
  expect(house.git('for-each-ref', 'refs/holdfast')).toBe('')
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toEqual([])
})

test('a store that is locked for a while costs that while, and nothing else', async () => {
  const house = new House()
  await house.ok(['status'])
  const holder = await lockStore(house)
  const submitted = house.submitScript('echo through')
  await eventually('it has taken its base', () => house.git('for-each-ref').includes('holdfast'))
  await holder.letGo()
  expect(await house.wait(await submitted)).toMatchObject({ state: 'succeeded' })
})

test('the worker outlives a store that is locked for longer than it waits', async () => {
  const house = new House()
  const id = await house.submitScript('touch under-way; while [ ! -e go ]; do sleep 0.05; done')
  await house.untilState(id, 'running')
  const holder = await lockStore(house)
  house.write('go', '', house.worktree(id))
  const log = join(house.home, 'worker.log')
  await eventually('the worker has given up', () =>
    readFileSync(log, 'utf8').includes(`is locked by pid ${holder.pid}`),
  )
  await holder.letGo()
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('a directory in the place of the store', async () => {
  const house = new House()
  mkdirSync(storeOf(house), { recursive: true, mode: 0o700 })
  for (const words of [['status'], ['run', 'command', '--', 'true'], ['worker', 'start']]) {
    const run = await house.run(words)
    expect(run).toMatchObject({ code: 7, stdout: '' })
    expect(run.stderr).toMatch(
      /a directory stands in the place of the store .*store\.db\n.*doctor --fix\n/,
    )
  }
  rmdirSync(storeOf(house))
})

test('a store from a newer version is refused by every command, and left as it is', async () => {
  const house = new House()
  const id = await house.submitScript('true')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  const store = new DatabaseSync(storeOf(house), { timeout: 60_000 })
  const { user_version } = store.prepare('PRAGMA user_version').get() as { user_version: number }
  store.exec('PRAGMA user_version = 4711')
  for (const words of [['status'], ['run', 'command', '--', 'true'], ['worker', 'start']]) {
    const run = await house.run(words)
    expect(run).toMatchObject({ code: 7, stdout: '' })
    expect(run.stderr).toMatch(/newer Holdfast\n.*npm install --global holdfast\n$/)
  }
  const doctor = JSON.parse((await house.run(['doctor', '--json'])).stdout)
  expect(doctor.findings).toContainEqual(
    expect.objectContaining({ check: 'store', hint: expect.stringContaining('npm install') }),
  )
  expect(store.prepare('PRAGMA user_version').get()).toEqual({ user_version: 4711 })
  store.exec(`PRAGMA user_version = ${user_version}`)
  store.close()
  expect((await house.task(id)).state).toBe('succeeded')
})

test('a lock file that is none is named', async () => {
  const house = new House()
  await house.ok(['worker', 'start'])
  await house.ok(['worker', 'stop'])
  const lock = join(house.home, 'locks', 'worker.lock')
  writeFileSync(lock, 'no database '.repeat(500))
  const run = await house.run(['worker', 'start'])
  expect(run.code).toBe(7)
  expect(run.stderr).toMatch(/worker\.lock is no lock file\n.*doctor --fix/)
  await house.ok(['doctor', '--fix'])
  await house.ok(['worker', 'start'])
})
