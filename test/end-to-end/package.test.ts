/** The package that `npm pack` makes: it installs and runs, with nothing beside it. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { House, unconfined } from './house.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the package installs and runs a task', async () => {
  const house = new House()
  const npm = (...words: string[]) =>
    execFileSync('npm', words, {
      cwd: root,
      // It asks nobody whether there is a newer npm.
      env: { ...house.environment, npm_config_update_notifier: 'false' },
      encoding: 'utf8',
      stdio: 'pipe',
    })
  const packed = JSON.parse(
    npm('pack', '--json', '--ignore-scripts', '--pack-destination', house.scratch),
  )
  // npm 11 prints a list, later ones an object by name.
  const [{ filename, files }] = Object.values(packed) as [
    { filename: string; files: { path: string }[] },
  ]
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'bin/holdfast.cjs',
      'dist/library.d.ts',
      'dist/library.js',
      'companion/codex-companion.mjs',
      'dist/load.cjs',
      'dist/main.cjs',
      'docs/reference/holdfast.schema.json',
      '.claude-plugin/marketplace.json',
      'plugin/codex/.claude-plugin/plugin.json',
      'plugin/holdfast/hook.cjs',
      'skills/holdfast/SKILL.md',
      'agent-plugin/skills/holdfast/SKILL.md',
      'agent-plugin/plugin.json',
      'agent-plugin/mcp.json',
      '.agents/plugins/marketplace.json',
    ]),
  )
  expect(files.filter(({ path }) => /^(?:src|test|node_modules)\//.test(path))).toEqual([])
  const prefix = join(house.scratch, 'prefix')
  npm('install', '--global', '--offline', '--prefix', prefix, join(house.scratch, filename))
  expect(readdirSync(join(prefix, 'lib/node_modules'))).toEqual(['holdfast'])

  const bin = join(prefix, 'bin/holdfast')
  const options = {
    cwd: house.repo,
    env: house.environment,
    encoding: 'utf8',
    stdio: 'pipe',
  } as const
  const holdfast = (...words: string[]) => execFileSync(bin, words, options)
  expect(holdfast('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  const run = unconfined(['run', 'command', '--wait', '--', 'sh', '-c', 'echo installed'])
  expect(holdfast(...run)).toBe('installed\n')
})

test('an older Node is told so in one line, and no syntax error', () => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`
  const program = `${pretend}; require(${JSON.stringify(join(root, 'bin/holdfast.cjs'))})`
  const run = () => execFileSync(process.execPath, ['-e', program], { stdio: 'pipe' })
  expect(run).toThrow(
    expect.objectContaining({
      status: 5,
      stderr: Buffer.from(`Holdfast needs Node.js 22.18 or newer; this is ${process.version}.\n`),
    }),
  )
})
