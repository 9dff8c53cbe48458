/** The real Claude Code and the real Codex take this package in, work with it, and are rid of it again. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { writePiHome } from '../../src/demo/scripted-model/pi-home.ts'
import { call, say, shell } from '../../src/demo/scripted-model/script.ts'
import { views } from '../../src/surfaces/view.ts'
import { putPackage, putProgram } from '../end-to-end/hosts.ts'
import { type House, entry as ownEntry } from '../end-to-end/house.ts'
import { codex, heard, houseWithModel } from './house-with-model.ts'

const claude = await ensureAgent('claude')
const opencode = await ensureAgent('opencode')
const pi = await ensureAgent('pi')
const ownRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** What it says on stdout; it has nothing to read. */
function runIn(house: House, program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: house.repo, env: house.environment, encoding: 'utf8' } as const
    const child = execFile(program, [...words], options, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    )
    child.stdin?.end()
  })
}

const skill = readFileSync(join(ownRoot, 'skills/holdfast/SKILL.md'), 'utf8')
const [, description = ''] = /^description: (.*)$/m.exec(skill) ?? []

test('setup adds the plugin to both, Codex hands it to its model, uninstall leaves nothing', async () => {
  let asks = 0
  const { house, model } = await houseWithModel([], {
    choose: ({ conversation: { tools } }) => {
      // It begins without the server, and lists its tools when they are there.
      if (!tools.includes('mcp__holdfast')) return asks === 0 ? shell('sleep 0.2') : say('hi')
      return asks++ === 0 ? call('mcp__holdfast__status', { all: true }) : say('hi')
    },
  })
  const { environment, scratch } = house
  const hasOwn = existsSync(join(ownRoot, '.claude-plugin/marketplace.json'))
  const pack = hasOwn ? { root: ownRoot, entry: ownEntry } : putPackage(join(scratch, 'package'))
  putProgram(scratch, 'holdfast', `exec '${process.execPath}' '${pack.entry}' "$@"`)
  const own = [join(scratch, 'bin'), dirname(claude.bin), dirname(codex.bin)]
  environment.PATH = [...own, environment.PATH].join(delimiter)
  const settings = join(environment.CODEX_HOME ?? '', 'config.toml')
  const withPlugins = readFileSync(settings, 'utf8').replace('plugins = false', 'plugins = true')
  writeFileSync(settings, withPlugins)
  const ask = (program: string, ...words: string[]) => runIn(house, program, words)
  const setup = async (...more: string[]) => {
    const words = ['setup', '--host', 'claude', '--host', 'codex', '--json', ...more]
    const { stdout, stderr } = await house.run(words, { entry: pack.entry })
    const { hosts } = views.setup.parse(JSON.parse(stdout))
    return { stderr, states: hosts.flatMap(({ additions }) => additions.map(({ state }) => state)) }
  }

  const first = await setup('--codex-commands')
  expect(first.states.filter(state => state !== 'missing')).toEqual(Array(5).fill('added'))
  expect((await setup()).states.filter(state => state !== 'missing')).toEqual(
    Array(5).fill('there'),
  )
  const [plugins, ofCodex] = await Promise.all([
    ask('claude', 'plugin', 'list', '--json'),
    ask('codex', 'plugin', 'list', '--json'),
  ])
  expect(plugins).toContain('"holdfast@holdfast"')
  expect(plugins).toContain('"codex@holdfast"')
  expect(ofCodex).toContain('"holdfast@holdfast"')

  expect(await ask('codex', 'exec', '--skip-git-repo-check', 'hello')).toContain('hi')
  expect(heard(model)[0]).toContain(`holdfast: ${description.slice(0, 60)}`)
  // Its MCP server was started by Codex itself, and has answered.
  const { input } = JSON.parse(heard(model).at(-1) ?? '')
  // Before it there may be those of waiting for it.
  const outputs = input.filter(({ type }: { type: string }) => type === 'function_call_output')
  expect(JSON.stringify(outputs)).toMatch(/tasks.*worker/)

  const removed = await house.run(['uninstall', '--purge', '--json'], { entry: pack.entry })
  expect(views.uninstall.parse(JSON.parse(removed.stdout))).toMatchObject({ done: true, left: [] })
  const left = await Promise.all([
    ask('claude', 'plugin', 'list', '--json'),
    ask('claude', 'plugin', 'marketplace', 'list', '--json'),
  ])
  expect(left.map(text => JSON.parse(text))).toEqual([[], []])
  expect(readFileSync(settings, 'utf8').trim()).toBe(withPlugins.trim())
})

test('OpenCode and Pi hand the skill to their models', async () => {
  const { house, model } = await houseWithModel([], { choose: () => say('hi') })
  const { environment, scratch } = house
  Object.assign(
    environment,
    await writeOpenCodeHome(join(scratch, 'opencode'), model.url),
    await writePiHome(join(scratch, 'pi'), model.url),
    { PATH: [dirname(opencode.bin), dirname(pi.bin), environment.PATH].join(delimiter) },
  )
  await house.ok(['setup', '--host', 'opencode', '--host', 'pi', '--json'])
  for (const [program, ...words] of [
    ['opencode', 'run', 'hello'],
    ['pi', '-p', 'hello'],
  ] as const) {
    const before = heard(model).length
    await runIn(house, program, words)
    const said = heard(model).slice(before).join('\n')
    expect([program, said.includes(description.slice(0, 60))]).toEqual([program, true])
  }
  await house.ok(['uninstall', '--json'])
})
