/**
 * The worker as others see it: whether one is up, how to reach it, how to become it. A ring is a
 * hint and may be lost: the store stays the truth.
 */
import type { Lock } from './lock.ts'
import type { ProcessIdentity } from './process-table.ts'

/** What a worker says of itself. */
export interface WorkerCard {
  /** By which it can be told from a later process of the same pid. */
  readonly identity: ProcessIdentity
  readonly version: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

/** What others see of it. */
export interface WorkerInfo extends WorkerCard {
  /** It holds its post, and has shown no sign of life for a while: it is stopped, or hangs. */
  readonly isSilent: boolean
}

export interface WorkerPresence {
  /** The worker that holds the lock; undefined where none does. */
  look(): WorkerInfo | 'unnamed' | undefined
  /**
   * Tells a worker that there is work, and starts one, without waiting for it, where none is up.
   * Refuses with `refused_in_state` to start one that would end with a sandbox around it.
   */
  ring(): Promise<void>
  /** Lets no watchdog start another worker, nor one that it has just started take the post. */
  dismissWatchdog(): void
  /** Whether there is the card of a worker that is gone: one that was killed. */
  hasLeftCard(): boolean
  /** Removes it, unless there is a worker. */
  removeCard(): void
  /**
   * Becomes the worker; undefined if another one is, `dismissed` if it was told to stop before it
   * came up. Released when it leaves, however that is. Refuses where none is up, and somebody who looks
   * does not let go.
   */
  takePost(info: WorkerCard): Promise<Lock | 'dismissed' | undefined>
  /** Keeps the post from any worker without becoming one; undefined if one is up. Refuses as above. */
  blockPost(): Promise<Lock | undefined>
  /** In the worker: calls `onRing` whenever somebody rings; returns what stops that. */
  listen(onRing: () => void): () => void
}
