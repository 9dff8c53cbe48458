/** What `setup` adds to hosts, and that `uninstall` takes out that and nothing else. */
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type SetupView, views } from '../../src/surfaces/view.ts'
import { pathWith, putPackage, putPluginHost, putProgram } from './hosts.ts'
import { House } from './house.ts'

const SKILL = readFileSync(new URL('../../skills/holdfast/SKILL.md', import.meta.url), 'utf8')
const ORIGINAL = {
  marketplaces: { 'openai-codex': '/elsewhere' },
  plugins: { 'codex@openai-codex': true },
}

/** A house with Claude Code, Codex, OpenClaw and Pi, and the package that is set up in them. */
function hostHouse() {
  const house = new House()
  const { scratch } = house
  house.environment.PATH = pathWith(scratch)
  const pack = putPackage(join(scratch, 'pack age'))
  const claude = putPluginHost(scratch, 'claude')
  const codex = putPluginHost(scratch, 'codex')
  for (const name of ['openclaw', 'pi']) putProgram(scratch, name)
  mkdirSync(join(scratch, '.pi/agent'), { recursive: true })
  const run = (...words: string[]) => house.run(words, { entry: pack.entry })
  const setup = async (...words: string[]) => {
    const { code, stdout } = await run('setup', '--json', ...words)
    return { code, view: views.setup.parse(JSON.parse(stdout)) }
  }
  const uninstall = async (...words: string[]) => {
    const { code, stdout } = await run('uninstall', '--json', ...words)
    return { code, view: views.uninstall.parse(JSON.parse(stdout)) }
  }
  const skills = {
    openclaw: join(scratch, '.openclaw/skills/holdfast'),
    pi: join(scratch, '.pi/agent/skills/holdfast'),
  }
  return { house, pack, claude, codex, run, setup, uninstall, skills }
}

/** By host, what became of each thing, in order. */
const statesOf = ({ hosts }: SetupView) =>
  Object.fromEntries(hosts.map(({ name, additions }) => [name, additions.map(one => one.state)]))

test('nobody asked for anything: it is shown what is missing, and nothing is made', async () => {
  const { house, claude, codex, run } = hostHouse()
  const { code, stdout, stderr } = await run('setup')
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('--yes') })
  expect(stdout).toMatch(/^node +\d+\.\d+/m)
  expect(stdout).toMatch(/^git +\d+\.\d+/m)
  expect(stdout).toMatch(/^holdfast +not on the PATH.*: npm install --global .*pack age$/m)
  expect(stdout).toMatch(/npm install -g @openai\/codex|^codex/m)
  expect(stdout).toMatch(/^Claude Code +the marketplace holdfast: missing \(claude plugin mark/m)
  expect(stdout).toMatch(/^OpenCode +not installed$/m)
  expect([...claude.changes(), ...codex.changes()]).toEqual([])
  expect(existsSync(house.home)).toBe(false)
  expect(existsSync(join(house.scratch, '.openclaw'))).toBe(false)
})

test('a directory of a host that cannot be looked at keeps nobody from the others', async () => {
  const { house, setup } = hostHouse()
  const loop = join(house.scratch, 'loop')
  symlinkSync(loop, loop)
  house.environment.PI_CODING_AGENT_DIR = loop
  const { code, view } = await setup()
  expect([code, statesOf(view).openclaw]).toEqual([0, ['missing']])
})

test('it is added by each host’s own means, once; and taken out again, and nothing else', async () => {
  const { house, pack, claude, codex, setup, uninstall, skills } = hostHouse()
  claude.set(ORIGINAL)
  const before = readdirSync(house.scratch).sort()
  const first = await setup('--yes')
  expect([first.code, statesOf(first.view)]).toEqual([
    0,
    {
      claude: ['added', 'added', 'missing', 'missing'],
      codex: ['added', 'added'],
      opencode: [],
      openclaw: ['added'],
      pi: ['added'],
    },
  ])
  expect(claude.changes()).toEqual([
    `plugin marketplace add ${pack.root}`,
    'plugin install holdfast@holdfast',
  ])
  expect(codex.changes()).toEqual([
    `plugin marketplace add ${pack.root}`,
    'plugin add holdfast@holdfast',
  ])
  for (const directory of Object.values(skills)) {
    expect(readFileSync(join(directory, 'SKILL.md'), 'utf8')).toBe(SKILL)
  }

  // The names of the other plugin only for who wants them; the rest is there.
  const second = await setup('--host', 'claude', '--codex-commands')
  expect(statesOf(second.view).claude).toEqual(['there', 'there', 'added', 'added'])
  expect(claude.changes()).toEqual([
    'plugin install codex@holdfast',
    'plugin disable codex@openai-codex',
  ])
  const third = await setup('--yes', '--codex-commands')
  expect([third.code, new Set(Object.values(statesOf(third.view)).flat())]).toEqual([
    0,
    new Set(['there']),
  ])
  expect([...claude.changes(), ...codex.changes()]).toEqual([])

  // A skill that somebody has changed is theirs, and so is a file beside one.
  writeFileSync(join(skills.pi, 'SKILL.md'), 'mine\n')
  writeFileSync(join(skills.openclaw, 'notes'), 'mine\n')
  const { code, view } = await uninstall('--purge')
  expect(code).toBe(0)
  expect(view.removed).toEqual([
    '0 worktrees',
    '0 refs',
    'the plugin codex@openai-codex, which is on again, in Claude Code',
    'the plugin codex@holdfast, in Claude Code',
    `the skill ${skills.openclaw}`,
    'the plugin holdfast@holdfast, in Codex',
    'the marketplace holdfast, in Codex',
    'the plugin holdfast@holdfast, in Claude Code',
    'the marketplace holdfast, in Claude Code',
    house.home,
  ])
  expect(view.left).toEqual([`the skill ${skills.pi}: it was changed since, and is yours now`])
  expect(claude.state()).toEqual(ORIGINAL)
  expect(codex.state()).toEqual({ marketplaces: {}, plugins: {} })
  expect(readFileSync(join(skills.pi, 'SKILL.md'), 'utf8')).toBe('mine\n')
  expect(readdirSync(skills.openclaw)).toEqual(['notes'])
  expect(readdirSync(house.scratch).sort()).toEqual([...before, '.openclaw'].sort())
})

test('what others have put there stays; a host that refuses is told of, and the rest is done', async () => {
  const { house, pack, claude, codex, run, setup, uninstall, skills } = hostHouse()
  const own = { marketplaces: { holdfast: 'elsewhere' }, plugins: { 'holdfast@holdfast': false } }
  claude.set(own)
  codex.refuse('the network is of no use')
  mkdirSync(skills.pi, { recursive: true })
  writeFileSync(join(skills.pi, 'SKILL.md'), 'mine\n')
  const { code, view } = await setup('--yes')
  expect([code, statesOf(view)]).toMatchObject([
    5,
    { claude: ['there', 'there', 'missing'], codex: ['failed', 'missing'], pi: ['in_the_way'] },
  ])
  expect(view.hosts.find(({ name }) => name === 'codex')?.additions[0]?.problem).toBe(
    `${join(house.scratch, 'bin/codex')} plugin marketplace add ${pack.root}: the network is of no use`,
  )
  const left = await uninstall()
  expect(left.view.removed).toEqual(['the worker and its watchdog', `the skill ${skills.openclaw}`])
  expect(claude.state()).toEqual(own)
  expect(readFileSync(join(skills.pi, 'SKILL.md'), 'utf8')).toBe('mine\n')
  expect(existsSync(join(house.scratch, '.openclaw'))).toBe(false)

  expect(await run('setup', '--host', 'opencode')).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('OpenCode is not installed here'),
  })
  expect(await run('setup', '--host', 'emacs')).toMatchObject({ code: 2 })
  const environment = { HOLDFAST_ATTEMPT: 'k3v9m2x7qd.1.x' }
  const byTask = await house.run(['setup', '--yes'], { entry: pack.entry, environment })
  expect(byTask).toMatchObject({ code: 5, stderr: expect.stringContaining('for the user') })
})

test('a package that has moved is found by its hosts again; one that is gone is left, with the command', async () => {
  const { house, claude, codex, setup, uninstall } = hostHouse()
  await setup('--host', 'claude', '--host', 'codex')
  claude.changes()
  const other = putPackage(join(house.scratch, 'new place'))
  const moved = await house.run(['setup', '--yes', '--json'], { entry: other.entry })
  const view = views.setup.parse(JSON.parse(moved.stdout))
  expect(statesOf(view)).toMatchObject({ claude: ['added', 'added', 'missing'], pi: ['added'] })
  expect(claude.changes()).toEqual([
    'plugin marketplace remove holdfast',
    `plugin marketplace add ${other.root}`,
    'plugin install holdfast@holdfast',
  ])
  expect(codex.state().marketplaces).toEqual({ holdfast: other.root })

  // One from the same marketplace that somebody else has added would go with it.
  claude.set({
    marketplaces: { holdfast: other.root },
    plugins: { 'holdfast@holdfast': true, 'codex@holdfast': true },
  })
  rmSync(join(house.scratch, 'bin/codex'))
  const { view: first } = await uninstall()
  expect(first.left.filter(line => line.includes(' in '))).toEqual([
    'the plugin holdfast@holdfast, in Codex: codex is not here; codex plugin remove holdfast@holdfast',
    'the marketplace holdfast, in Codex: codex is not here; codex plugin marketplace remove holdfast',
    'the marketplace holdfast, in Claude Code: codex@holdfast is from it',
  ])
  expect(claude.state().plugins).toEqual({ 'codex@holdfast': true })
  // One that cannot be understood is told of; what could not be taken out is still written down.
  putProgram(house.scratch, 'codex', 'echo Welcome')
  const odd = await setup('--host', 'codex')
  expect([odd.code, odd.view.hosts.find(({ name }) => name === 'codex')?.problem]).toEqual([
    5,
    expect.stringContaining('plugin marketplace list --json: its answer is not understood'),
  ])
  putPluginHost(house.scratch, 'codex')
  const { view: second } = await uninstall()
  expect(second.removed).toEqual([
    'the worker and its watchdog',
    'the plugin holdfast@holdfast, in Codex',
    'the marketplace holdfast, in Codex',
  ])
  expect(existsSync(join(house.home, 'hosts.json'))).toBe(false)
})

const hasScript = existsSync('/usr/bin/script') && process.platform === 'linux'
const terminalTest = hasScript
  ? test
  : (name: string, work: () => Promise<void>) =>
      test.skip(`${name} (skipped: no script of util-linux is here)`, work)

terminalTest('at a terminal it asks, host by host, and for the names of /codex:*', async () => {
  const { house, pack, claude, codex, skills } = hostHouse()
  claude.set(ORIGINAL)
  const shell = `exec '${process.execPath}' '${pack.entry}' setup`
  const said = await new Promise<string>(resolve => {
    const options = { cwd: '/', env: house.environment, encoding: 'utf8' } as const
    const child = execFile('/usr/bin/script', ['-qec', shell, '/dev/null'], options, (_, stdout) =>
      resolve(stdout),
    )
    child.stdin?.write('\ny\nno\nwhat\nno\n\n')
    // Its end would be taken for the end of the terminal.
    child.once('exit', () => child.stdin?.end())
  })
  expect(said).toContain('Claude Code found: add the marketplace holdfast and the plugin holdfast')
  expect(said).toContain('Codex plugin found: use Holdfast for /codex:*?')
  expect(claude.state()).toEqual({
    marketplaces: { ...ORIGINAL.marketplaces, holdfast: pack.root },
    plugins: {
      'codex@openai-codex': false,
      'holdfast@holdfast': true,
      'codex@holdfast': true,
    },
  })
  expect(codex.state().plugins).toEqual({})
  expect([existsSync(skills.openclaw), existsSync(skills.pi)]).toEqual([false, true])
})
