import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { livenessOf, parseIdentityLine } from '../../src/process/identity.ts'
import { hasDied, readStat } from '../../src/process/linux/stat.ts'
import { loadProcessTable } from '../../src/process/process-table.ts'
import { eventually } from '../eventually.ts'
import { processes } from './attempts.ts'

test.each([
  ['12 345\n', { pid: 12, startTime: 345 }],
  ['12 345', undefined],
  ['12 \n', undefined],
  ['12', undefined],
  ['', undefined],
  ['0 345\n', undefined],
  ['12 345\n13 346\n', undefined],
])('an identity line is whole or not known (%j)', (line, identity) => {
  expect(parseIdentityLine(line)).toEqual(identity)
})

test('this process lives', () => {
  expect(livenessOf(processes.self(), processes)).toBe('alive')
})

test.each([
  ['another start time', { startTime: 1 }, 'dead'],
  ['another boot', { boot: 'another' }, 'dead'],
  ['another boot, whose namespaces had other numbers', { boot: 'x', pidNamespace: 'x' }, 'dead'],
  ['another PID namespace', { pidNamespace: 'pid:[1]' }, 'unknown'],
  ['another machine', { machine: 'another' }, 'unknown'],
  ['another machine with another boot', { machine: 'x', boot: 'x' }, 'unknown'],
] as const)('a process of %s', (_, change, liveness) => {
  expect(livenessOf({ ...processes.self(), ...change }, processes)).toBe(liveness)
})

test('a process that nobody has collected is dead', async () => {
  // `exec` makes the shell a program that never heard of its child; the child ends after that.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const stat = await eventually('the child is a zombie', () => {
      const seen = readStat(Number(line.toString()))
      return seen !== undefined && hasDied(seen) && seen
    })
    expect(livenessOf({ ...processes.self(), ...stat }, processes)).toBe('dead')
    expect(processes.find(stat.pid)).toBeUndefined()
  } finally {
    parent.kill('SIGKILL')
    await once(parent, 'exit')
  }
})

test('another system is refused in words', async () => {
  await expect(loadProcessTable('win32')).rejects.toMatchObject({
    code: 'unsupported_platform',
    hint: 'run it inside WSL2',
  })
})
