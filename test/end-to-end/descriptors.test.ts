/** What a caller has open does not reach what outlives it: a lock, a directory to write through. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { entry, House, unconfined } from './house.ts'

/** A caller like those of CI and of tools: it has a directory and a lock open as it calls us. */
function callHolding(house: House, outside: string, words: readonly string[]): string {
  const script = `exec 20<"$1" 200>"$1/lock"; flock -n 200 || exit 9; shift; exec "$@"`
  const call = [process.execPath, entry, ...unconfined(words)]
  return execFileSync('bash', ['-c', script, 'caller', outside, ...call], {
    cwd: house.repo,
    env: house.environment,
    encoding: 'utf8',
  }).trim()
}

/** What the processes of a house have open below a directory. */
function openBelow(house: House, directory: string): string[] {
  return house.processes().flatMap(line => {
    const at = `/proc/${line.split(' ', 1)[0]}/fd`
    return listDescriptors(at).flatMap(number => {
      try {
        const target = readlinkSync(join(at, number))
        return target.startsWith(directory) ? [`${line}: ${number} -> ${target}`] : []
      } catch {
        // Closed meanwhile.
        return []
      }
    })
  })
}

function listDescriptors(at: string): string[] {
  try {
    return readdirSync(at)
  } catch {
    // The process has ended meanwhile.
    return []
  }
}

function outsideOf(house: House): string {
  const outside = join(house.scratch, 'outside')
  mkdirSync(outside)
  return outside
}

test('no lock and no directory of the caller is open in the worker, its watchdog or an agent', async () => {
  const house = new House()
  const outside = outsideOf(house)
  const agent = ['command', '--', '/bin/sh', '-c', 'sleep 1000']
  const first = callHolding(house, outside, ['run', ...agent])
  try {
    await house.untilState(first, 'running')
    await eventually(
      'watchdog, worker, wrapper and agent are there',
      () => house.processes().length >= 4,
    )
    expect(openBelow(house, outside)).toEqual([])
    execFileSync('flock', ['-n', join(outside, 'lock'), 'true'])
  } finally {
    await house.ok(['cancel', first])
  }
  // Those of other callers later are started by that very worker.
  const second = await house.submit(agent)
  try {
    await house.untilState(second, 'running')
    expect(openBelow(house, outside)).toEqual([])
  } finally {
    await house.ok(['cancel', second])
  }
})

test('an agent cannot write through a directory that its caller had open', async () => {
  const house = new House()
  const outside = outsideOf(house)
  const script = 'echo escaped >/proc/self/fd/20/escaped; echo tried'
  const words = ['run', 'command', '--wait', '--', '/bin/sh', '-c', script]
  expect(callHolding(house, outside, words)).toContain('tried')
  expect(existsSync(join(outside, 'escaped'))).toBe(false)
})
