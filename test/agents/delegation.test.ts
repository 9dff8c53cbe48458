/** The real Codex runs `holdfast` itself, from inside of its sandbox. */
import { appendFileSync, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { byMarker, say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import { entry, type House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { codex, houseWithModel } from './house-with-model.ts'

const holdfast = `'${process.execPath}' '${entry}'`
/** With its exit code. (Codex's shell has a PATH of its own.) */
const inCodex = (words: string) =>
  `export PATH="${dirname(codex.bin)}:$PATH"
  ${holdfast} ${words} 2>&1; printf '\\nexit %s\\n' $?`

async function houseOf(parent: readonly Turn[]) {
  const { house, model } = await houseWithModel([], {
    environment: { HOLDFAST_SLOTS: '3' },
    choose: byMarker({ 'PARENT-TASK': parent, 'CHILD-TASK': [say('The child was here.')] }),
  })
  return { house, model }
}

/** Allows what Codex forbids: the state directory, and the repository's git directory. */
function allowDelegation(house: House): void {
  const roots = JSON.stringify([house.home, join(house.repo, '.git')])
  const file = join(house.environment.CODEX_HOME ?? '', 'config.toml')
  appendFileSync(file, `\n[sandbox_workspace_write]\nwritable_roots = ${roots}\n`)
}

/** What the agent's commands printed, one text each. */
async function outputsOf(house: House, id: string): Promise<readonly string[]> {
  const lines = (await house.ok(['logs', id, '--json', '-n', '1000'])).trim().split('\n')
  return lines
    .map(line => JSON.parse(line))
    .filter(({ kind }) => kind === 'command_ended')
    .map(({ output }) => output)
}

/** The workers that there are, whichever PID namespace they are in. */
const workersOf = (house: House) =>
  house.processes().filter(line => / worker run *$/.test(line) && !line.includes('holdfast-worker'))

test('where the store is read-only: it can be read, and handing in says how to allow it', async () => {
  const { house } = await houseOf([
    shell(inCodex('run codex CHILD-TASK')),
    shell(`${inCodex('status')}; ${inCodex('result done')}; ${inCodex('logs done')}`),
    shell(
      `${inCodex('cancel "${HOLDFAST_ATTEMPT%%.*}"')}; ${inCodex('worker start')}; ${inCodex('worker run')}`,
    ),
    say('Tried.'),
  ])
  const done = await house.submit(['command', '--name', 'done', '--', 'echo', 'an older answer'])
  await house.wait(done)
  const id = await house.submit(['codex', 'PARENT-TASK'])
  expect((await house.wait(id)).state).toBe('succeeded')
  const [run = '', read = '', write = ''] = await outputsOf(house, id)
  expect(run).toMatch(/^holdfast: the state directory .* cannot be written.* sandbox of Codex\)\n/)
  expect(run).toContain('sandbox_workspace_write.writable_roots')
  expect(run).toContain(`"${house.home}"`)
  expect(run).toMatch(/\nexit 7\n/)
  expect(read).toContain('an older answer')
  expect(read.match(/^exit 0$/gm)).toHaveLength(3)
  expect(write.match(/^exit 7$/gm)).toHaveLength(3)
  expect(workersOf(house)).toHaveLength(1)
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
  expect(tasks).toHaveLength(2)
})

test('where the store is writable: the live worker outside takes the task over', async () => {
  const { house } = await houseOf([
    shell(`${inCodex('run codex CHILD-TASK')}; ${inCodex('worker run')}`),
    shell(inCodex('run codex CHILD-TASK --permissions full')),
    say('Delegated.'),
  ])
  allowDelegation(house)
  const id = await house.submit(['codex', 'PARENT-TASK'])
  const worker = await house.workerPid()
  expect((await house.wait(id)).state).toBe('succeeded')
  const [run = '', more = ''] = await outputsOf(house, id)
  const child = /^[a-z0-9]{10}$/m.exec(run)?.[0] ?? ''
  expect(run).toMatch(/^exit 0$/m)
  expect(await house.wait(child)).toMatchObject({
    state: 'succeeded',
    caller: { kind: 'task', id },
    permissions: { effective: 'workspace' },
    result: { answer: 'The child was here.' },
  })
  // It may not become one itself, nor give more than it has.
  expect(run).toMatch(/would end with it/)
  expect(more).toMatch(/can give no more[\s\S]*exit 6/)
  expect(await house.workerPid()).toBe(worker)
  expect(workersOf(house)).toHaveLength(1)
})

test('where no worker is up: the task is kept, and waits for one that is started outside', async () => {
  const { house } = await houseOf([
    shell('touch under-way; while [ ! -e go ]; do sleep 0.05; done'),
    shell(`${inCodex('run codex CHILD-TASK')}; ${inCodex('worker start')}`),
    shell('touch handed-in; while [ ! -e over ]; do sleep 0.05; done'),
    say('Delegated.'),
  ])
  allowDelegation(house)
  const id = await house.submit(['codex', 'PARENT-TASK'])
  const exists = (name: string) =>
    eventually(`${name} is there`, () => existsSync(join(house.worktree(id), name)))
  await exists('under-way')
  await house.ok(['worker', 'stop'])
  house.write('go', '', house.worktree(id))
  await exists('handed-in')
  // Asked of the store without any command that would start a worker.
  await eventually(
    'the one that was stopped has left, and no other came',
    () => workersOf(house).length === 0,
  )
  house.write('over', '', house.worktree(id))
  await house.ok(['worker', 'start'])
  expect((await house.wait(id)).state).toBe('succeeded')
  const [, run = ''] = await outputsOf(house, id)
  const child = /^[a-z0-9]{10}$/m.exec(run)?.[0] ?? ''
  expect(run).toMatch(/no worker is up, and one that is started here would end with a sandbox/)
  expect(run).toMatch(/holdfast worker start/)
  expect(run).toMatch(/^exit 0$/m)
  expect(run).toMatch(/^exit 5$/m)
  expect(await house.wait(child)).toMatchObject({ state: 'succeeded' })
})
