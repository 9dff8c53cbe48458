/**
 * Sends what is owed, beside the work: no attempt waits for it. To each subscriber goes one message
 * at a time: the first at once, and what follows soon after as one. What its channel accepted was
 * sent; what it did not is tried again, and in the end given up as a dead letter. What is owed stands
 * in the store alone: killed between sending and writing that down, the next worker sends the same
 * again, under the same id. When something was last sent it forgets: the next worker's first goes at
 * once.
 */
import { reach } from '../domain/crash-points.ts'
import {
  type Delivery,
  describeSubscriber,
  GATHER_MS,
  MOST_TRIES,
  makeNotice,
  mayTry,
  nextTry,
} from '../domain/delivery.ts'
import { messageOf } from '../domain/errors.ts'
import type { Notice, Subscriber } from '../domain/notice.ts'
import type { CallerTokens } from '../ports/caller-tokens.ts'
import type { Clock } from '../ports/clock.ts'
import { type Channel, type Channels, DeliveryError } from '../ports/notifier.ts'
import type { Owed } from '../ports/outbox.ts'
import type { Store } from '../ports/store.ts'
import { forgetTokens } from './forget-tokens.ts'
import { isRowTrouble } from './trouble.ts'

/** So long a channel may take to accept a message: longer than any gives itself. */
const SEND_LIMIT_MS = 240_000
/** So long one that was told to end is waited for. */
const END_LIMIT_MS = 2_000
/** How often it is looked for what is owed: it is to be sent within a second. */
const LOOK_EVERY_MS = 200
/** In one message. */
const MOST_AT_ONCE = 100
/** Of why it failed. */
const PROBLEM_KEPT = 500

interface DeliverPorts {
  readonly store: Store
  readonly channels: Channels
  readonly tokens: CallerTokens
  readonly clock: Clock
  readonly log: (line: string) => void
  /** How long a channel may take. */
  readonly sendLimitMs?: number
  /** Where the store fails. */
  readonly onTrouble: (error: unknown) => void
}

export interface Deliverer {
  /** Begins to send what is due; to be called often. */
  look(): void
  /**
   * Whether a look that began at `since` (`Clock.elapsed`) or later has found that nothing is owed.
   * It does in time, for a dead channel too.
   */
  isDone(since: number): boolean
  /** What is being sent may still be accepted for a moment. */
  leave(): Promise<void>
}

export function makeDeliverer(ports: DeliverPorts): Deliverer {
  const { store, clock, tokens, onTrouble } = ports
  const leaving = new AbortController()
  const sending = new Map<string, Promise<void>>()
  /** When each subscriber was last sent something. */
  const sentAt = new Map<string, number>()
  let lookedAt = -Infinity
  let looking: Promise<void> | undefined
  /** When a look began that found nothing. */
  let clearAt = -Infinity
  /** Who of the caller sessions something was owed to. */
  let sessions: readonly string[] = []

  const isDue = ({ key, nextTryAt }: Owed) => {
    const before = sentAt.get(key)
    const gathers = before !== undefined && clock.elapsed() - before < GATHER_MS
    return !gathers && mayTry(nextTryAt, clock.now())
  }
  const send = (owed: Owed) => {
    const over = sendTo(owed, leaving.signal, ports)
      .then(isSent => {
        if (isSent) sentAt.set(owed.key, clock.elapsed())
      })
      .catch(onTrouble)
      .finally(() => {
        sending.delete(owed.key)
      })
    sending.set(owed.key, over)
  }
  const lookAround = async () => {
    const [owed, began] = [await store.listOwed(), lookedAt]
    const before = sessions
    sessions = owed.filter(({ channel }) => channel === 'claude').map(({ key }) => key)
    if (before.some(key => !sessions.includes(key))) await forgetTokens(store, tokens)
    clearAt = owed.length > 0 ? -Infinity : began
    for (const one of owed) {
      if (!leaving.signal.aborted && !sending.has(one.key) && isDue(one)) send(one)
    }
  }
  return {
    look() {
      if (looking !== undefined || clock.elapsed() - lookedAt < LOOK_EVERY_MS) return
      lookedAt = clock.elapsed()
      looking = lookAround()
        .catch((error: unknown) => {
          // A bug of ours may not keep a worker up for ever.
          clearAt = lookedAt
          onTrouble(error)
        })
        .finally(() => {
          looking = undefined
        })
    },
    isDone: since => clearAt >= since && sending.size === 0,
    async leave() {
      leaving.abort()
      await looking
      await Promise.all(sending.values())
    },
  }
}

/** Whether its channel has accepted it. */
async function sendTo(owed: Owed, leave: AbortSignal, ports: DeliverPorts): Promise<boolean> {
  const { store, clock } = ports
  const all = await store.listOwedTo(owed, MOST_AT_ONCE)
  const { deliveries, notices } = await readNotices(all, ports)
  if (owed.subscriber === null) {
    await giveUp(all, 'who it was for is damaged in the store', ports)
    return false
  }
  if (notices.length === 0) return false
  const outcome = await trySending(owed.subscriber, notices, leave, ports)
  if (outcome === 'left') return false
  const ids = deliveries.map(({ id }) => id)
  if (outcome === 'sent') {
    reach('delivery.accepted')
    await store.recordSent(ids, clock.now())
    reach('delivery.recorded')
  } else await recordFailure(deliveries, outcome, owed.subscriber, ports)
  return outcome === 'sent'
}

/** One whose task cannot be read is given up: the inbox has it when that is mended. */
async function readNotices(all: readonly Delivery[], ports: DeliverPorts) {
  const deliveries: Delivery[] = []
  const notices: Notice[] = []
  for (const delivery of all) {
    try {
      const task = await ports.store.findTask(delivery.task)
      if (task === undefined) throw new Error(`task ${delivery.task} is gone from the store`)
      notices.push(makeNotice(delivery, task))
      deliveries.push(delivery)
    } catch (error) {
      if (!isRowTrouble(error)) throw error
      await giveUp([delivery], messageOf(error), ports)
    }
  }
  return { deliveries, notices }
}

/** One that does not end, though it is told to, is not waited for. */
async function trySending(
  subscriber: Subscriber,
  notices: readonly Notice[],
  leave: AbortSignal,
  { channels, sendLimitMs = SEND_LIMIT_MS }: DeliverPorts,
): Promise<'sent' | 'left' | DeliveryError> {
  const limit = AbortSignal.timeout(sendLimitMs)
  const stop = AbortSignal.any([leave, limit])
  const channel = channels[subscriber.kind] as Channel
  const over = channel.send(subscriber, notices, stop).then(
    () => 'sent' as const,
    (error: unknown) => asDeliveryError(error),
  )
  let timer: NodeJS.Timeout | undefined
  const stopped = new Promise<DeliveryError>(resolve => {
    const tooLong = new DeliveryError(`it took longer than ${sendLimitMs / 1_000} s`, false)
    const wait = () => {
      timer = setTimeout(() => resolve(tooLong), END_LIMIT_MS)
    }
    stop.addEventListener('abort', wait, { once: true })
    if (stop.aborted) wait()
  })
  const outcome = await Promise.race([over, stopped])
  clearTimeout(timer)
  // Whoever was told to end because we leave has not failed.
  return outcome !== 'sent' && leave.aborted ? 'left' : outcome
}

/** A bug of a channel is told like any failure: it may not keep the others from being told. */
function asDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  return new DeliveryError(`unexpected: ${messageOf(error)}`, false, { cause: error })
}

/** All that goes to one subscriber has one time at which it is tried again. */
async function recordFailure(
  deliveries: readonly Delivery[],
  error: DeliveryError,
  subscriber: Subscriber,
  ports: DeliverPorts,
): Promise<void> {
  const { store, clock, log } = ports
  log(`${describeSubscriber(subscriber)} was not told: ${error.message}`)
  const most = Math.max(...deliveries.map(({ attempts }) => attempts)) + 1
  const [random, now] = [clock.random(), clock.now()]
  const lives = (one: Delivery) =>
    !error.isLasting && nextTry(one.attempts + 1, now, random) !== undefined
  const again = deliveries.filter(lives)
  const pause = nextTry(Math.min(most, MOST_TRIES - 1), now, random) ?? now
  if (again.length > 0) {
    const ids = again.map(({ id }) => id)
    await store.recordUnsent(ids, error.message.slice(0, PROBLEM_KEPT), pause)
  }
  await giveUp(
    deliveries.filter(one => !again.includes(one)),
    error.message,
    ports,
  )
}

async function giveUp(
  deliveries: readonly Delivery[],
  problem: string,
  { store, log }: DeliverPorts,
): Promise<void> {
  if (deliveries.length === 0) return
  const ids = deliveries.map(({ id }) => id)
  log(`given up (holdfast doctor): ${ids.join(', ')}`)
  await store.recordUnsent(ids, problem.slice(0, PROBLEM_KEPT), null)
}
