import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import {
  hasDied,
  livenessOf,
  parseIdentityLine,
  parseStat,
  readStat,
  requireLinux,
  selfIdentity,
} from '../../src/process/identity.ts'
import { eventually } from '../eventually.ts'

test.each([
  ['sh', '7 (sh) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 18446744073709551615'],
  ['a) Z (b', '7 (a) Z (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 1844674407370'],
  ['two words\n', '7 (two words\n) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 184467'],
])('a stat line is counted from the last parenthesis (%j)', (name, line) => {
  expect(parseStat(line)).toEqual({
    pid: 7,
    name,
    state: 'S',
    parent: 1,
    group: 7,
    session: 7,
    terminal: false,
    startTime: 4711,
  })
})

test.each(['', '7', '7 (sh) S 1 7'])('what is no stat line is undefined (%j)', line => {
  expect(parseStat(line)).toBeUndefined()
})

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
  expect(livenessOf(selfIdentity())).toBe('alive')
})

test.each([
  ['another start time', { startTime: 1 }, 'dead'],
  ['another boot', { boot: 'another' }, 'dead'],
  ['another boot, whose namespaces had other numbers', { boot: 'x', pidNamespace: 'x' }, 'dead'],
  ['another PID namespace', { pidNamespace: 'pid:[1]' }, 'unknown'],
  ['another machine', { machine: 'another' }, 'unknown'],
  ['another machine with another boot', { machine: 'x', boot: 'x' }, 'unknown'],
] as const)('a process of %s', (_, change, liveness) => {
  expect(livenessOf({ ...selfIdentity(), ...change })).toBe(liveness)
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
    expect(livenessOf({ ...selfIdentity(), ...stat })).toBe('dead')
  } finally {
    parent.kill('SIGKILL')
    await once(parent, 'exit')
  }
})

test('another system is refused in words', () => {
  expect(() => requireLinux('linux')).not.toThrow()
  expect(() => requireLinux('win32')).toThrow(
    expect.objectContaining({ code: 'unsupported_platform', hint: 'run it inside WSL2' }),
  )
})
