/** What was set beforehand holds for a task as it was when the task was handed in. */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

/** A house with a Codex that is installed, logged in, and does nothing until it is ended. */
function houseWithCodex(): House {
  const house = new House()
  const bin = join(house.scratch, 'bin')
  const script = `#!/bin/sh
case $1 in
  --version) echo codex-cli 0.169.0;;
  login) exit 0;;
  *) exec sleep 300;;
esac
`
  house.write('codex', script, bin)
  chmodSync(join(bin, 'codex'), 0o755)
  house.environment.PATH = `${bin}:${house.environment.PATH}`
  return house
}

test('flags count before variables, these before the repository, that before the user', async () => {
  const house = houseWithCodex()
  mkdirSync(house.home, { mode: 0o700 })
  const user = { agent: 'codex', model: 'u', effort: 'u', permissions: 'workspace', slots: 2 }
  house.write('config.json', JSON.stringify(user), house.home)
  house.write(
    'holdfast.json',
    JSON.stringify({ model: 'r', effort: 'r', permissions: 'read-only' }),
  )
  mkdirSync(join(house.repo, 'below'))
  const environment = { HOLDFAST_EFFORT: 'e' }
  const run = await house.ok(['run', '--json', 'do it'], {
    directory: join(house.repo, 'below'),
    environment,
  })
  const task = JSON.parse(run)
  expect(task).toMatchObject({ agent: 'codex', model: 'r', effort: 'e' })
  expect(task.permissions).toMatchObject({ asked: 'read-only', effective: 'read-only' })
  // What was recorded holds, whatever the file says later.
  house.write('holdfast.json', '{ "model": "later" }')
  expect((await house.task(task.id)).model).toBe('r')
  const flags = ['run', '--json', '-m', 'f', '--permissions', 'full', 'again']
  const second = JSON.parse(await house.ok(flags))
  expect(second).toMatchObject({ model: 'f', effort: 'u', permissions: { asked: 'full' } })
  await house.ok(['cancel', task.id, second.id])
})

test('a mistake in a file is told by file and key; commands that look are not held up by it', async () => {
  const house = houseWithCodex()
  const id = await house.submitScript('true')
  await house.wait(id)
  house.write('holdfast.json', '{ "agent": "cdoex" }')
  const run = await house.run(['run', 'do it'])
  expect(run.code).toBe(2)
  expect(run.stderr).toContain(`${join(house.repo, 'holdfast.json')}: agent is "cdoex"`)
  expect(run.stderr).toContain('allowed: codex')
  for (const words of [['status'], ['status', id], ['result', id], ['logs', id], ['diff', id]]) {
    expect([words, (await house.run(words)).code]).toEqual([words, 0])
  }
  const doctor = await house.run(['doctor'])
  expect(doctor).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/warning +configuration: .*cdoex/),
  })
})

test('bounds on what comes along are taken from the repository', async () => {
  const house = new House()
  house.makeDirty()
  house.write('holdfast.json', '{ "capture": { "maxFiles": 1 } }')
  const run = await house.run(['run', 'command', '--', 'true'])
  expect(run.code).toBe(5)
  expect(run.stderr).toContain('more than 1 files')
})

test('the worker takes its slots from the user’s file, and works in spite of a mistake there', async () => {
  const house = new House()
  delete house.environment.HOLDFAST_SLOTS
  mkdirSync(house.home, { mode: 0o700 })
  const log = () => readFileSync(join(house.home, 'worker.log'), 'utf8')
  house.write('config.json', '{ "slots": 3 }', house.home)
  await house.ok(['worker', 'start'])
  await eventually('it says so', () => log().includes(', 3 slots'))
  await house.ok(['worker', 'stop'])
  house.write('config.json', '{ "slots": "many" }', house.home)
  await house.ok(['worker', 'start'])
  await eventually('it says so', () => log().includes('the configuration is ignored: '))
})
