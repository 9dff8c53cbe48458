import type { Notice, Subscriber } from '../domain/notice.ts'

/** Tells one kind of subscriber. */
export interface Channel<Kind extends Subscriber['kind'] = Subscriber['kind']> {
  /**
   * Resolves once the channel has accepted all of them; they come as one message. Rejects with a
   * `DeliveryError`; anything else is a bug. Ends soon after the signal.
   */
  send(
    subscriber: Extract<Subscriber, { kind: Kind }>,
    notices: readonly Notice[],
    signal: AbortSignal,
  ): Promise<void>
}

export type Channels = { readonly [Kind in Subscriber['kind']]: Channel<Kind> }

/** Why nobody was told, in words. `isLasting`: to try again is of no use. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError'
  readonly isLasting: boolean

  constructor(message: string, isLasting: boolean, options?: ErrorOptions) {
    super(message, options)
    this.isLasting = isLasting
  }
}
