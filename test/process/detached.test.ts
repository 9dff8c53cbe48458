import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeProcessHost } from '../../src/process/host.ts'
import { eventually } from '../eventually.ts'
import { processes, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts
let root = ''
let log = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-detached-'))
  log = join(root, 'log')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const logged = (lines: number) =>
  eventually(`${lines} lines in the log`, () => {
    const text = readFileSync(log, 'utf8')
    return text.split('\n').length > lines && text
  })

test('a program starts in a session of its own, nobody’s child, in the root directory', async () => {
  await host.startDetached(['/bin/sh', '-c', 'pwd; echo $$; exec sleep 1000'], {}, log)
  const [directory, pid] = (await logged(2)).split('\n')
  const process_ = attempts.answerFor(Number(pid))
  expect(directory).toBe('/')
  const stat = await eventually('its parent is gone', () => {
    const seen = processes.find(Number(pid))
    return seen?.parent !== process.pid && seen
  })
  expect(stat.session).toBe(stat.pid)
  expect(stat.terminal).toBe(false)
  process.kill(process_.pid, 'SIGKILL')
})

test('it gets exactly the environment and the arguments', async () => {
  await host.startDetached(['/usr/bin/env', '-0'], { A: 'b c\n', 'with.dot': '1' }, log)
  await eventually('its output is there', () => readFileSync(log, 'utf8') !== '')
  expect(readFileSync(log, 'utf8').split('\0').sort()).toEqual(['', 'A=b c\n', 'with.dot=1'])
})

test('what it prints, on either stream, is appended to a private log', async () => {
  writeFileSync(log, 'before\n', { mode: 0o600 })
  await host.startDetached(['/bin/sh', '-c', 'echo out; echo err >&2'], {}, log)
  expect(await logged(3)).toBe('before\nout\nerr\n')
  const other = join(root, 'new log')
  await host.startDetached(['/bin/true'], {}, other)
  expect((statSync(other).mode & 0o777).toString(8)).toBe('600')
})

test.each([
  ['a missing program', ['/nowhere/program'], 'log', '/nowhere/program'],
  ['a program that may not be executed', ['/etc/passwd'], 'log', '/etc/passwd'],
  ['a log in no directory', ['/bin/true'], 'no/such/log', 'no/such/log'],
])('%s is refused by name', async (_, argv, name, named) => {
  const started = host.startDetached(argv as [string], {}, join(root, name))
  await expect(started).rejects.toMatchObject({
    code: 'launch_failed',
    message: expect.stringContaining(named),
  })
})

test('relative paths are a bug', async () => {
  await expect(host.startDetached(['sh'], {}, log)).rejects.toThrow('not an absolute path')
  await expect(host.startDetached(['/bin/sh'], {}, 'log')).rejects.toThrow('not an absolute path')
})

test('a machine without setsid and perl is refused', async () => {
  const bare = makeProcessHost(processes, { toolPath: root })
  await expect(bare.startDetached(['/bin/true'], {}, log)).rejects.toMatchObject({
    code: 'launch_failed',
    message: expect.stringContaining('setsid'),
  })
})
