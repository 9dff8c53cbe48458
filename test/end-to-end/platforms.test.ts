/** What is said on a system that Holdfast does not run on. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commands } from '../../src/surfaces/cli/main.ts'
import { scratchDirectory } from '../scratch.ts'
import { entry } from './house.ts'

function runOn(platform: string, ...words: string[]) {
  const home = join(scratchDirectory(), 'home')
  const pretend = `Object.defineProperty(process, 'platform', { value: '${platform}' })`
  const program = `${pretend}; process.argv.splice(1, 0, 'x'); require(${JSON.stringify(entry)})`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program, '--', ...words], {
    env: { PATH: '', HOLDFAST_HOME: home },
    encoding: 'utf8',
  })
  expect(existsSync(home)).toBe(false)
  return { status, stdout, stderr }
}

const WSL = /^Holdfast runs on Windows through WSL2: run "wsl --install", [^\n]*\n$/

test.each([...Object.keys(commands), '--help', '--version', 'no-such-command', ''])(
  'on Windows "%s" prints one line with the next step, and exits 5',
  word => {
    const run = runOn('win32', ...(word === '' ? [] : [word]))
    expect(run).toEqual({ status: 5, stdout: '', stderr: expect.stringMatching(WSL) })
  },
)

test('who asked for a document gets one', () => {
  const run = runOn('win32', 'status', '--json')
  expect(run).toMatchObject({ status: 5, stderr: expect.stringMatching(WSL) })
  expect(JSON.parse(run.stdout)).toEqual({
    error: {
      code: 'unsupported_platform',
      message: 'Holdfast runs on Windows through WSL2',
      hint: expect.stringContaining('wsl --install'),
    },
  })
  expect(runOn('win32', 'run', 'command', '--', 'x', '--json').stdout).toBe('')
})

test('another system is named', () => {
  const stderr = 'Holdfast runs on Linux and macOS; this is freebsd.\n'
  expect(runOn('freebsd', 'status')).toEqual({ status: 5, stdout: '', stderr })
})
