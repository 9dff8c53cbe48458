import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AppError } from '../../src/domain/errors.ts'
import { makeLocks } from '../../src/store/locks.ts'
import { systemClock } from '../../src/system-clock.ts'
import { eventually } from '../eventually.ts'
import { scratchDirectory } from '../scratch.ts'

const make = (directory: string) => makeLocks(directory, systemClock)

test('a lock is had once, and again when it is given back', () => {
  const directory = scratchDirectory()
  const lock = make(directory).tryAcquire('a')
  expect(lock).toBeDefined()
  expect(make(directory).tryAcquire('a')).toBeUndefined()
  expect(make(directory).isHeld('a')).toBe(true)
  expect(make(directory).isHeld('b')).toBe(false)
  lock?.release()
  expect(make(directory).isHeld('a')).toBe(false)
})

test('a lock dies with its holder, even by kill -9', async () => {
  const directory = scratchDirectory()
  const source = new URL('../../src/store/locks.ts', import.meta.url).href
  const program = `
    const { makeLocks } = await import(${JSON.stringify(source)})
    makeLocks(${JSON.stringify(directory)}, { now: Date.now }).tryAcquire('a')
    setInterval(() => undefined, 1000)
  `
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: 'inherit',
  })
  await eventually('the lock is held', () => make(directory).isHeld('a'))
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await eventually('the lock is free', () => !make(directory).isHeld('a'))
  make(directory).tryAcquire('a')?.release()
})

test('those who wait come one after the other', async () => {
  const locks = make(join(scratchDirectory(), 'locks'))
  let inside = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 8 }, () =>
      locks.withLock('a', 20_000, async () => {
        most = Math.max(most, ++inside)
        await systemClock.sleep(2)
        inside--
      }),
    ),
  )
  expect(most).toBe(1)
})

test('who waits too long is told so, and a failing section gives the lock back', async () => {
  const locks = make(scratchDirectory())
  const lock = locks.tryAcquire('a')
  await expect(locks.withLock('a', 30, async () => undefined)).rejects.toBeInstanceOf(AppError)
  lock?.release()
  const failing = locks.withLock('a', 1_000, () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  expect(locks.isHeld('a')).toBe(false)
})

test('looking at a lock that this process holds does not end it', async () => {
  const directory = scratchDirectory()
  const lock = make(directory).tryAcquire('a')
  expect(make(directory).isHeld('a')).toBe(true)
  expect(make(directory).tryAcquire('a')).toBeUndefined()
  const source = new URL('../../src/store/locks.ts', import.meta.url).href
  const program = `
    const { makeLocks } = await import(${JSON.stringify(source)})
    process.exit(makeLocks(${JSON.stringify(directory)}, { now: Date.now }).isHeld('a') ? 7 : 0)
  `
  const looker = spawn(process.execPath, ['--input-type=module', '-e', program])
  expect(await once(looker, 'exit')).toEqual([7, null])
  lock?.release()
})
