/** What readies a new worktree before its agent starts. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

test('included files are there for the agent, and neither in the result nor kept for longer', async () => {
  const house = new House()
  house.write('.worktreeinclude', 'ignored.env\n')
  house.write('ignored.env', 'SECRET=hunter2\n')
  const run = await house.run([
    'run',
    'command',
    '--',
    'sh',
    '-c',
    'cat ignored.env; : > .gitignore; echo work > work.txt; ls "$HOLDFAST_HOME"/tasks/*',
  ])
  expect(run.stderr).toContain('included: 1 ignored file')
  const id = run.stdout.trim()
  const task = await house.wait(id)
  expect(task.setUp).toEqual({ included: { files: 1, bytes: 15, leftOut: [] } })
  expect(task.result?.answer).toContain('SECRET=hunter2')
  expect(task.result?.answer).toContain('included.json')
  const patch = await house.ok(['diff', id])
  expect(patch.match(/^\+\+\+ .*/gm)).toEqual(['+++ b/.gitignore', '+++ b/work.txt'])
  const directory = join(house.home, 'tasks', id)
  expect(readdirSync(directory).filter(name => name.startsWith('included'))).toEqual([])
  expect(statSync(join(house.home, 'set-up', id)).mode & 0o777).toBe(0o600)
  const packed = house.git('cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
  for (const object of packed.trim().split('\n')) {
    expect(house.git('cat-file', '-p', object)).not.toContain('hunter2')
  }
})

test('they are taken when the task is handed in: the checkout may be gone when it starts', async () => {
  const house = new House()
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  house.write('.worktreeinclude', 'ignored.env\n', linked)
  house.write('ignored.env', 'SECRET=1\n', linked)
  const gate = await house.submitScript('touch under-way; while [ ! -e go ]; do sleep 0.05; done')
  const words = ['command', '--after', gate, '--', 'cat', 'ignored.env']
  const id = await house.submit(words, { directory: linked })
  const kept = join(house.home, 'tasks', id, 'included')
  expect(statSync(kept).mode & 0o777).toBe(0o600)
  expect(readFileSync(kept, 'utf8')).toBe('SECRET=1\n')
  rmSync(linked, { recursive: true })
  await eventually('it is under way', () => existsSync(join(house.worktree(gate), 'under-way')))
  house.write('go', '', house.worktree(gate))
  expect((await house.wait(id)).result?.answer).toBe('SECRET=1')
  expect(existsSync(kept)).toBe(false)
})

test('what is too much is named by run, and changes no task', async () => {
  const house = new House()
  house.write('.gitignore', 'big/\n')
  house.write('.worktreeinclude', 'big/\n')
  house.write('holdfast.json', '{ "include": { "maxFiles": 1 } }')
  house.write('big/one', '1')
  house.write('big/two', '2')
  const run = await house.run(['run', 'command', '--', 'ls', 'big'])
  expect(run.stderr).toContain('left out: big/: 2 files, 2 B is too much to include')
  expect((await house.wait(run.stdout.trim())).state).toBe('failed')
})
