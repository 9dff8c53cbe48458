/** The outbox and the real store, with channels that misbehave and a clock of the test's own. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Subscription } from '../../src/domain/delivery.ts'
import { asFence, makeTaskId, type TaskId } from '../../src/domain/ids.ts'
import type { Notice, Subscriber } from '../../src/domain/notice.ts'
import type { Transition } from '../../src/domain/transitions.ts'
import { type Deliverer, makeDeliverer } from '../../src/engine/deliver.ts'
import { type Channel, type Channels, DeliveryError } from '../../src/ports/notifier.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { eventually } from '../eventually.ts'
import { scratchDirectory } from '../scratch.ts'
import { makeRequest } from './scene.ts'

const SECRET = 'the agent says sk-secret'
const place = { root: '/r', commonDir: '/r/.git', subdirectory: '' }
const file = (path: string): Subscriber => ({ kind: 'file', path })
const named = (to: Subscriber): Subscription => ({ to, isNamed: true })

async function makeHouse(send: Channel['send'], sendLimitMs?: number) {
  const store = await openSqliteStore(scratchDirectory(), systemClock)
  let ahead = 0
  const clock = {
    ...systemClock,
    now: () => 1_000_000 + ahead,
    elapsed: () => ahead,
    random: () => 0.5,
  }
  const channel = { send }
  const kinds = ['file', 'command', 'webhook', 'desktop', 'openclaw', 'claude']
  const channels = Object.fromEntries(kinds.map(kind => [kind, channel])) as unknown as Channels
  const forgotten: string[] = []
  const tokens = {
    pathOf: () => '/t',
    keep: async () => undefined,
    list: async () => ['/t'],
    forget: async (path: string) => void forgotten.push(path),
  }
  let asked = 0
  const watched = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        asked++
        const answer: unknown = value.apply(target, given)
        return Promise.resolve(answer).finally(() => asked--)
      }
    },
  })
  const troubles: unknown[] = []
  const make = () =>
    makeDeliverer({
      ...{ store: watched, channels, tokens, clock },
      ...(sendLimitMs === undefined ? {} : { sendLimitMs }),
      log: () => undefined,
      onTrouble: error => void troubles.push(error),
    })
  /** Looks until a look, and all that it asks of the store, ends without a message. */
  const settle = async (deliverer: Deliverer) => {
    for (let before = -1; before !== calls; ) {
      before = calls
      ahead += 200
      deliverer.look()
      do await setImmediate()
      while (asked > 0)
    }
  }
  let calls = 0
  const counted = channel.send
  channel.send = async (...given) => {
    calls++
    await counted(...given)
  }
  const submit = async (...notify: Subscription[]) => {
    const id = makeTaskId(randomBytes(16))
    await store.submitTask({ ...makeRequest(id, place), notify })
    return id
  }
  const end = async (id: TaskId, event?: Transition) => {
    const { attempt } = (await store.claimNext(clock.now(), () => 'fresh')) ?? {}
    expect(attempt?.task).toBe(id)
    const failure = { code: 'model_error', message: SECRET } as const
    const failed = { kind: 'attempt_failed', failure, result: null } as const
    await store.transition(id, asFence(1), event ?? failed, clock.now())
  }
  return {
    ...{ store, make, settle, submit, end, troubles, forgotten },
    pass: (ms: number) => {
      ahead += ms
    },
  }
}

test('the first goes at once, what follows within 30 s as one, and never the words of an agent', async () => {
  const messages: (readonly Notice[])[] = []
  const house = await makeHouse(async (_to, notices) => void messages.push(notices))
  const ids: TaskId[] = []
  for (let n = 0; n < 20; n++) ids.push(await house.submit(named(file('/a'))))
  const [first, ...others] = ids as [TaskId, ...TaskId[]]
  const deliverer = house.make()
  await house.end(first)
  await house.settle(deliverer)
  expect(messages.map(({ length }) => length)).toEqual([1])
  for (const id of others) await house.end(id)
  await house.settle(deliverer)
  expect(messages).toHaveLength(1)
  expect(deliverer.isDone(0)).toBe(false)
  house.pass(30_000)
  await house.settle(deliverer)
  // Nineteen ends, and that all is idle: once.
  expect(messages.map(({ length }) => length)).toEqual([1, 20])
  expect(deliverer.isDone(0)).toBe(true)
  const all = messages.flat()
  expect(all.filter(({ event }) => event === 'all_idle')).toHaveLength(1)
  expect(all.flatMap(({ task }) => task?.id ?? []).sort()).toEqual([...ids].sort())
  expect(new Set(all.map(({ id }) => id)).size).toBe(21)
  expect(JSON.stringify(all)).not.toContain('sk-secret')
  expect(all[0]).toMatchObject({
    event: 'failed',
    task: { id: first, files: null, repository: '/r' },
    command: `holdfast result ${first}`,
  })
  expect(await house.store.listInbox({})).toHaveLength(20)
  await deliverer.leave()
  expect(house.troubles).toEqual([])
  await house.store.close()
})

test('one that fails is tried again, more and more seldom, and is given up in the end', async () => {
  let works = false
  const tried: string[][] = []
  const house = await makeHouse(async (_to, notices) => {
    tried.push(notices.map(({ id }) => id))
    if (!works) throw new DeliveryError('it is down', false)
  })
  const { store, settle, submit, end, pass } = house
  const deliverer = house.make()
  const first = await submit({ to: file('/a'), isNamed: false })
  await end(first)
  await settle(deliverer)
  expect(tried).toHaveLength(1)
  expect(deliverer.isDone(0)).toBe(false)
  works = true
  pass(3_000)
  await settle(deliverer)
  expect(tried).toEqual([[`${first}.failed.0`], [`${first}.failed.0`]])
  expect(deliverer.isDone(0)).toBe(true)

  works = false
  const second = await submit({ to: file('/b'), isNamed: false })
  await end(second)
  // What is lasting is not tried twice; what nobody can be told stays in the inbox.
  for (let hour = 0; hour < 40 && (await store.listDeadLetters()).length === 0; hour++) {
    await settle(deliverer)
    pass(600_000)
  }
  expect(tried).toHaveLength(2 + 10)
  await settle(deliverer)
  expect(deliverer.isDone(0)).toBe(true)
  expect(await store.listDeadLetters()).toMatchObject([
    { task: second, problem: 'it is down', subscriber: file('/b') },
  ])
  expect(await store.listInbox({ task: second })).toHaveLength(1)
  expect(await store.retryDeadLetters()).toBe(1)
  works = true
  await settle(deliverer)
  expect(tried.at(-1)).toEqual([`${second}.failed.0`])
  expect(await store.listDeadLetters()).toEqual([])
  await deliverer.leave()
  await store.close()
})

test('whoever waits for a task is told of it besides only where it did not take the end', async () => {
  const told: string[] = []
  const house = await makeHouse(async (_to, notices) => {
    told.push(...notices.map(({ id }) => id))
  })
  const { store, submit, end, settle, pass } = house
  const waiting = { to: file('/a'), isNamed: false, givesWay: true }
  const [taken, left] = [await submit(waiting, named(file('/b'))), await submit(waiting)]
  for (const id of [taken, left]) await end(id)
  const deliverer = house.make()
  await settle(deliverer)
  const named0 = [`${taken}.failed.1`, `${taken}.all_idle.1`]
  expect(told).toEqual([`${taken}.failed.1`])
  const entries = await store.listInbox({ task: taken })
  await store.acknowledge(
    entries.map(({ id }) => id),
    0,
  )
  pass(5_000)
  await settle(deliverer)
  expect(told.filter(id => !named0.includes(id))).toEqual([`${left}.failed.0`])
  pass(60_000)
  await settle(deliverer)
  expect(told.filter(id => !named0.includes(id))).toHaveLength(1)
  expect(deliverer.isDone(0)).toBe(true)
  await deliverer.leave()
  await store.close()
})

test('a channel that hangs holds up no other, and a lasting failure is given up at once', async () => {
  const told: string[] = []
  const house = await makeHouse(async (to, notices) => {
    if (to.kind === 'desktop') await new Promise(() => undefined)
    if (to.kind === 'openclaw') throw new DeliveryError('there is none', true)
    told.push(...notices.map(({ id }) => id))
  }, 100)
  const { store, submit, end, pass } = house
  const claude = { kind: 'claude', session: null, socket: '/s', tokenFile: '/t' } as const
  const id = await submit(
    { to: { kind: 'desktop' }, isNamed: false },
    { to: file('/a'), isNamed: false },
    { to: { kind: 'openclaw', session: null, environment: {} }, isNamed: false },
    { to: claude, isNamed: false },
  )
  await store.unlessAwaited('/t', async () => expect.unreachable('an open task waits for it'))
  await end(id)
  const deliverer = house.make()
  deliverer.look()
  await eventually('the others are told', () => told.length === 2)
  expect(told.sort()).toEqual([`${id}.failed.1`, `${id}.failed.3`])
  await eventually('its token is forgotten', () => {
    pass(200)
    deliverer.look()
    return house.forgotten.length === 1
  })
  await eventually('one is given up', async () => (await store.listDeadLetters()).length === 1)
  await eventually('the other was waited for long enough', async () => {
    const owed = await store.listOwed()
    return owed.length === 1 && owed[0]?.nextTryAt !== null
  })
  await deliverer.leave()
  expect(house.troubles).toEqual([])
  await store.close()
})

test('a worker that leaves in the middle takes back nothing, and the next sends the same again', async () => {
  const ids: string[] = []
  let hold = true
  const house = await makeHouse(async (_to, notices, signal) => {
    ids.push(...notices.map(({ id }) => id))
    if (!hold) return
    await new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => reject(new DeliveryError('stopped', false)))
    })
  })
  const { store, submit, end } = house
  const id = await submit({ to: file('/a'), isNamed: false })
  await end(id)
  const first = house.make()
  first.look()
  await eventually('it is being sent', () => ids.length === 1)
  await first.leave()
  expect(await store.listOwed()).toMatchObject([{ nextTryAt: null }])
  hold = false
  const second = house.make()
  second.look()
  await eventually('it was sent', async () => (await store.listOwed()).length === 0)
  expect(ids).toEqual([`${id}.failed.0`, `${id}.failed.0`])
  await second.leave()
  await store.close()
})

test('who waits and what stands still is told; a short pause and a dependency are not', async () => {
  const events: string[] = []
  const house = await makeHouse(async (_to, notices) => {
    events.push(...notices.map(({ event }) => event))
  })
  const { store, submit, end, settle, pass } = house
  const deliverer = house.make()
  const interrupted = (ms: number, code: 'agent_crashed' | 'stalled'): Transition => ({
    kind: 'attempt_interrupted',
    failuresInRow: 1,
    wait: { reason: 'backoff', until: 1_000_000 + ms, failure: { code, message: SECRET } },
  })
  const cases = [
    [interrupted(2_000, 'agent_crashed'), []],
    [interrupted(3_600_000, 'agent_crashed'), ['waiting']],
    [interrupted(2_000, 'stalled'), ['stalled']],
  ] as const
  for (const [event, expected] of cases) {
    const id = await submit(named(file('/a')))
    await end(id, event)
    pass(31_000)
    await settle(deliverer)
    expect(events.splice(0)).toEqual(expected)
    expect(await store.listInbox({ task: id })).toEqual([])
    await store.transition(id, null, { kind: 'cancel_requested' }, 2_000_000)
    await store.transition(id, asFence(1), { kind: 'attempt_cancelled', result: null }, 2_000_000)
    pass(31_000)
    await settle(deliverer)
    expect(events.splice(0)).toEqual(['cancelled', 'all_idle'])
  }
  await deliverer.leave()
  await store.close()
})
