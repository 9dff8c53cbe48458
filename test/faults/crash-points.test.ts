/** The list of crash points and the calls in the sources say the same. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { crashPoints, foreignPoints } from '../../src/domain/crash-points.ts'
import { agentEnvironment, workerEnvironment } from '../../src/domain/environment.ts'
import { scratchDirectory } from '../scratch.ts'
import { cases, nameOf } from './plan.ts'

const source = fileURLToPath(new URL('../../src', import.meta.url))
const LIST = 'domain/crash-points.ts'

const listed = Object.values(crashPoints).flatMap(group => Object.keys(group))
const foreign = Object.values(foreignPoints).flatMap(group => Object.keys(group))

test('a point has one name, one place in the list, and words', () => {
  const all = [...listed, ...foreign]
  expect(new Set(all).size).toBe(all.length)
  for (const group of [...Object.values(crashPoints), ...Object.values(foreignPoints)]) {
    for (const [name, words] of Object.entries(group)) {
      expect(name).toMatch(/^[a-z-]+\.[a-z-]+$/)
      expect(words.length).toBeGreaterThan(10)
    }
  }
})

test('every point of the list is reached by the code, and no other', () => {
  const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && file !== LIST)
    .map(file => readFileSync(join(source, file), 'utf8'))
    .join('\n')
  const calls = [...code.matchAll(/\breach\('([^']*)'\)/g)].map(([, name]) => name)
  expect(calls.filter(name => !listed.includes(name ?? ''))).toEqual([])
  // Some are handed to the function that reaches them; the compiler knows their names.
  expect(listed.filter(name => !code.includes(`'${name}'`))).toEqual([])
})

test('every point is struck by some case of the kill matrix, and no case is there twice', () => {
  const struck = new Set(cases.map(({ point }) => point))
  // A case fails if its point is not reached.
  expect([...listed, ...foreign].filter(name => !struck.has(name))).toEqual([])
  const names = cases.map(nameOf)
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([])
})

test('the variable reaches a worker, and no agent', () => {
  const caller = { HOLDFAST_CRASH_POINTS: '/somewhere', PATH: '/bin' }
  expect(agentEnvironment(caller)).toEqual({ PATH: '/bin' })
  expect(workerEnvironment(caller)).toEqual(caller)
})

const program = `
  const { crashHere } = await import(${JSON.stringify(join(source, 'crash-here.ts'))})
  const { reach } = await import(${JSON.stringify(join(source, LIST))})
  crashHere(process.argv[1])
  reach('claim.written')
  reach('claim.committed')
  reach('claim.committed')
  console.log('alive')`

function run(directory: string): string {
  const argv = ['--input-type=module', '--eval', program, directory]
  try {
    return execFileSync(process.execPath, argv, { encoding: 'utf8' }).trim()
  } catch (error) {
    return String((error as { signal?: string }).signal)
  }
}

test('an armed point ends the process that reaches it, once; an unarmed one costs nothing', () => {
  const directory = join(scratchDirectory(), 'points')
  mkdirSync(directory)
  expect(run(directory)).toBe('alive')
  writeFileSync(join(directory, 'claim.committed'), 'kill')
  expect(run(directory)).toBe('SIGKILL')
  expect(existsSync(join(directory, 'claim.committed.reached'))).toBe(true)
  expect(run(directory)).toBe('alive')
})

test('a process that is to stand still says who it is, and goes on when it is told', () => {
  const directory = join(scratchDirectory(), 'points')
  mkdirSync(directory)
  writeFileSync(join(directory, 'claim.written'), 'stand')
  writeFileSync(join(directory, 'claim.written.go'), '')
  expect(run(directory)).toBe('alive')
  expect(readFileSync(join(directory, 'claim.written.pid'), 'utf8')).toMatch(/^\d+\n$/)
})
