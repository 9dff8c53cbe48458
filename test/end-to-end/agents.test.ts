/** `agents` says what there is, what is missing, and who is asked by default. */
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { views } from '../../src/surfaces/view.ts'
import { House } from './house.ts'

const codexSays = (house: House, version: string) => {
  const bin = join(house.scratch, 'bin')
  house.write('codex', `#!/bin/sh\necho codex-cli ${version}\n`, bin)
  chmodSync(join(bin, 'codex'), 0o755)
  return { PATH: `${bin}:${house.environment.PATH}` }
}

test('a missing agent is named with what installs it, and nothing is made', async () => {
  const house = new House()
  const environment = { PATH: '/usr/bin:/bin' }
  const run = await house.run(['agents'], { directory: '/', environment })
  expect(run.code).toBe(0)
  expect(run.stdout).toMatch(/codex +not installed\n.*npm install -g @openai\/codex/)
  expect(run.stdout).toMatch(/command +any program/)
  expect(existsSync(house.home)).toBe(false)
})

test('the default is the configured agent, else the first that is ready', async () => {
  const house = new House()
  const environment = codexSays(house, '0.169.0')
  const look = async () =>
    views.agents.parse(JSON.parse(await house.ok(['agents', '--json'], { environment }))).agents
  const found = await look()
  const [codex, command] = ['codex', 'command'].map(name => found.find(one => one.name === name))
  expect(codex).toMatchObject({ name: 'codex', ready: true, default: true, version: '0.169.0' })
  expect(codex).toMatchObject({ login: 'unknown', permissions: { effective: 'workspace' } })
  expect(command).toMatchObject({ name: 'command', default: false, program: null })
  house.write('holdfast.json', '{ "permissions": "read-only" }')
  expect((await look())[0]?.permissions?.effective).toBe('read-only')

  codexSays(house, '0.10.0')
  expect((await look())[0]).toMatchObject({ ready: false, default: false })
  house.write('holdfast.json', '{ "agent": "codex" }')
  expect((await look())[0]).toMatchObject({ default: true, trouble: { code: 'agent_too_old' } })
})

test('a version that was not tested is used, with a note', async () => {
  const house = new House()
  const environment = codexSays(house, '0.170.0')
  expect(await house.ok(['agents'], { environment })).toContain('0.170.0 (tested with 0.169.0)')
  codexSays(house, '0.169.0')
  expect(await house.ok(['agents'], { environment })).not.toContain('tested with')
})

test('a mistake in a file is told, and keeps nobody from looking', async () => {
  const house = new House()
  house.write('holdfast.json', '{ "agent": 1 }')
  const run = await house.run(['agents'])
  expect(run).toMatchObject({ code: 0, stderr: expect.stringContaining('holdfast.json: agent is') })
  expect(run.stdout).toContain('command')
})
