/** `init` writes down what new worktrees need, and touches nothing that is there. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { views } from '../../src/surfaces/view.ts'
import { House } from './house.ts'

const initialise = async (house: House, directory = house.repo) => {
  const { files } = views.init.parse(JSON.parse(await house.ok(['init', '--json'], { directory })))
  const [settings, includes] = files
  if (settings === undefined || includes === undefined) throw new Error('two files are told of')
  return { settings, includes }
}

const textOf = (house: House, name: string) => readFileSync(join(house.repo, name), 'utf8')

test('from a directory below: the install command and the ignored files that a task would miss', async () => {
  const house = new House()
  house.write(
    '.gitignore',
    '.env*\n*.local.md\n.claude/\nnode_modules/\nAGENTS.override.md\n*.pem\n',
  )
  house.write('package-lock.json', '{}')
  house.write('.env', 'SECRET=1')
  house.write('below/.env.local', 'SECRET=1')
  house.write('CLAUDE.local.md', 'mine')
  house.write('.claude/settings.local.json', '{}')
  house.write('node_modules/package/.env', 'not ours')
  house.write('key.pem', 'nobody said that a task needs it')
  house.write('.env.example', 'tracked')
  house.git('add', '--force', '.env.example')
  const run = await house.run(['init'], { directory: join(house.repo, 'below') })
  expect(run).toMatchObject({ code: 0 })
  expect(textOf(house, 'holdfast.json')).toBe('{\n  "setup": ["npm", "ci"]\n}\n')
  expect(textOf(house, '.worktreeinclude').split('\n').slice(1)).toEqual([
    '/.claude/settings.local.json',
    '/.env',
    '/CLAUDE.local.md',
    '/below/.env.local',
    '',
  ])
  for (const line of [
    'written holdfast.json',
    '  | /CLAUDE.local.md',
    '  .env: settings of the project',
  ]) {
    expect(run.stdout).toContain(`${line}\n`)
  }
  expect(run.stderr).toContain('next: git add holdfast.json .worktreeinclude')
  // What it wrote is understood, and does what it says.
  const id = await house.submit([
    'command',
    '--',
    'cat',
    '.env',
    'below/.env.local',
    'CLAUDE.local.md',
  ])
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    setUp: { included: { files: 4 }, command: { argv: ['npm', 'ci'], trusted: false } },
  })
})

test('a directory that the install command goes on from comes along by clone', async () => {
  const house = new House()
  house.write('.gitignore', 'node_modules/\ntarget/\n')
  for (const name of ['pnpm-lock.yaml', 'Cargo.lock', 'node_modules/x', 'target/x']) {
    house.write(name, '')
  }
  const { settings } = await initialise(house)
  expect(textOf(house, 'holdfast.json')).toBe(`{
  "setup": ["pnpm", "install", "--frozen-lockfile"],
  "directories": { "node_modules": "clone", "target": "clone" }
}
`)
  expect(settings.why).toContain(
    'directories: node_modules by clone, where the file system can (pnpm-lock.yaml)',
  )
  house.write('holdfast.json', '{ "setup": false, "directories": { "target": "skip" } }')
  expect((await initialise(house)).settings.why).toEqual([
    'it does not say how node_modules comes along; found: node_modules by clone, where the file system can (pnpm-lock.yaml)',
  ])
})

test('what is there stays as it is, and what it lacks is said', async () => {
  const house = new House()
  house.write('.gitignore', '.env*\n')
  house.write('.env', '1')
  house.write('.env.local', '1')
  house.write('uv.lock', '')
  house.write('holdfast.json', '{ "setup": ["pip", "install", "."] }')
  house.write('.worktreeinclude', '.env\n')
  const { settings, includes } = await initialise(house)
  expect(settings).toMatchObject({
    became: 'kept',
    why: ['it names pip install .; found: uv sync --frozen (uv.lock)'],
  })
  expect(includes).toMatchObject({
    became: 'kept',
    why: ['it does not name .env.local: settings of the project'],
  })
  expect(textOf(house, 'holdfast.json')).toBe('{ "setup": ["pip", "install", "."] }')
  expect(textOf(house, '.worktreeinclude')).toBe('.env\n')
  house.write('holdfast.json', '{ "setup": ["uv", "sync", "--frozen"] }')
  house.write('.worktreeinclude', '.env*\n')
  const again = await initialise(house)
  expect([again.settings.why, again.includes.why]).toEqual([[], []])
  expect((await house.run(['init'])).stdout).toContain('nothing that was found is missing')
})

test('where nothing is needed nothing is written; a script of Codex is used as it is', async () => {
  const house = new House()
  const { settings, includes } = await initialise(house)
  expect([settings.became, includes.became]).toEqual(['not needed', 'not needed'])
  house.write('.codex/setup.sh', 'npm ci\n')
  house.write('package-lock.json', '{}')
  expect((await initialise(house)).settings).toMatchObject({
    became: 'not needed',
    why: ['.codex/setup.sh is there, and is run without being named'],
  })
  expect(existsSync(join(house.repo, 'holdfast.json'))).toBe(false)
  expect(existsSync(house.home)).toBe(false)
})

test('the schema is named where the project has it', async () => {
  const house = new House()
  house.write('go.sum', '')
  house.write('node_modules/holdfast/docs/reference/holdfast.schema.json', '{}')
  expect((await initialise(house)).settings.content).toBe(
    '{\n  "$schema": "./node_modules/holdfast/docs/reference/holdfast.schema.json",\n  "setup": ["go", "mod", "download"]\n}\n',
  )
})

test('a file that says nothing sensible is told of, and a place without a repository is refused', async () => {
  const house = new House()
  writeFileSync(join(house.repo, 'holdfast.json'), 'nonsense')
  expect(await house.run(['init'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('holdfast.json is no JSON'),
  })
  expect((await house.run(['init'], { directory: house.scratch })).code).toBe(5)
})
