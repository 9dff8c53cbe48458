import type { Delivery } from '../domain/delivery.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Subscriber } from '../domain/notice.ts'

/** What is owed. It is written in the transaction of the transition that it tells of. */
export interface Outbox {
  /** By subscriber: to whom something is to be sent. Nothing of the inbox. */
  listOwed(): Promise<readonly Owed[]>
  /** The oldest of what is to be sent to one of them. */
  listOwedTo(owed: Owed, limit: number): Promise<readonly Delivery[]>
  /** Their channel has accepted them. */
  recordSent(ids: readonly string[], now: number): Promise<void>
  /** They could not be sent; `nextTryAt` null: they are given up. */
  recordUnsent(ids: readonly string[], problem: string, nextTryAt: number | null): Promise<void>
  /** Those that were given up, the newest first. */
  listDeadLetters(): Promise<readonly DeadLetter[]>
  /** They are tried again from the beginning. How many there were. */
  retryDeadLetters(): Promise<number>
  /** Nobody is told of them any more; what they told of stays in the inbox. How many there were. */
  dropDeadLetters(now: number): Promise<number>

  /**
   * Forgets the token of a caller session, unless an open task will tell it, or something is owed to
   * it; nobody hands in a task meanwhile. `forget` may not use the store. False: it is awaited.
   */
  unlessAwaited(tokenFile: string, forget: () => Promise<void>): Promise<boolean>

  /** What nobody has acknowledged, the newest first; of one task, or of all. */
  listInbox(filter: {
    readonly task?: TaskId
    readonly limit?: number
  }): Promise<readonly Delivery[]>
  /** How many of these were not acknowledged before. */
  acknowledge(ids: readonly string[], now: number): Promise<number>
}

export interface Owed {
  /** As it is written; the same for the same subscriber. */
  readonly key: string
  readonly channel: string
  /** Null: what says who it is, is damaged. */
  readonly subscriber: Subscriber | null
  /** When the last of them may be tried; null: at once. */
  readonly nextTryAt: number | null
}

export interface DeadLetter extends Delivery {
  readonly subscriber: Subscriber | null
  readonly problem: string
}
