/** The worker's one heartbeat, on real timers; in a process of its own, where no other timer runs. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { LOOK_EVERY_MS, makeTicker } from '../../src/engine/ticker.ts'

const source = new URL('../../src/engine/ticker.ts', import.meta.url).href

/** What a program prints that has a `ticker`, and counts `timers()`. */
function run(body: string): unknown[] {
  const program = `
    const { makeTicker } = await import(${JSON.stringify(source)})
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const ticker = makeTicker()
    const said = []
    ${body}
    ticker.stop()
    said.push(timers())
    console.log(JSON.stringify(said))`
  const argv = ['--input-type=module', '--eval', program]
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' }))
}

test('however many ask for an early tick, one timer waits for it, beside the regular beat', () => {
  const said = run(`
    const ticks = Array.from({ length: 200 }, (_, n) => ticker.next(${LOOK_EVERY_MS - 1} - n))
    said.push(timers())
    await Promise.all(ticks)
    said.push(timers())`)
  expect(said).toEqual([2, 1, 0])
})

test('a tick that comes early takes the timer of a later one with it', () => {
  const said = run(`
    const late = ticker.next(${LOOK_EVERY_MS - 1})
    ticker.wake()
    await late
    said.push(timers())`)
  expect(said).toEqual([1, 0])
})

test('the earliest of all wishes counts', async () => {
  const ticker = makeTicker()
  let isLate = false
  // Timers run in the order in which they are due, however late all of them are.
  const limit = setTimeout(() => {
    isLate = true
  }, LOOK_EVERY_MS - 100)
  const late = ticker.next(LOOK_EVERY_MS - 1)
  await ticker.next(0)
  await late
  clearTimeout(limit)
  expect(isLate).toBe(false)
  ticker.stop()
})

test('the more are ended together, the longer the next are gathered; at the latest until a tick', () => {
  const said = run(`
    const { setTimeout: sleep } = await import('node:timers/promises')
    for (let first = 'tick'; first === 'tick'; said[0] = first) {
      await ticker.next()
      const many = Array.from({ length: 20 }, () => ticker.wait(() => false))
      for (const one of many) one.end()
      await Promise.all(many.map(({ over }) => over))
      const late = ticker.wait(() => false)
      late.end()
      const others = [late.over.then(() => 'ended'), ticker.next().then(() => 'tick')]
      first = await Promise.race([...others, sleep(200, 'timer')])
      await Promise.all(others)
    }`)
  expect(said).toEqual(['timer', 0])
})

test('whoever cannot say whether it is due is woken as well, and looks itself', async () => {
  const ticker = makeTicker()
  const due = () => {
    throw new Error('the disk is gone')
  }
  const waits = [ticker.wait(due), ticker.wait(() => true)]
  ticker.wake()
  await Promise.all(waits.map(({ over }) => over))
  ticker.stop()
})
