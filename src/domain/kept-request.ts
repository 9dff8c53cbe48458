/** What was asked through a command of a host's plugin, until the command that is to do it takes it. */

export const requestKinds = ['rescue', 'transfer', 'review', 'adversarial-review'] as const
export type RequestKind = (typeof requestKinds)[number]

/** It may only read, and leaves nothing to take home. */
export function isReview(kind: RequestKind): kind is 'review' | 'adversarial-review' {
  return kind === 'review' || kind === 'adversarial-review'
}

export interface KeptRequest {
  readonly kind: RequestKind
  /** What stood after the command, byte for byte: flags and all. */
  readonly text: string
  /** The plugin whose command it was: what people type stands under its name. */
  readonly plugin: string
  /** The agent that the plugin stands for; null: as configured. */
  readonly agent: string | null
  /** Nobody can be asked: a subagent wants it. */
  readonly isOfSubagent: boolean
  /** Where the conversation is written down, of the caller session or one that was named; null: not known. */
  readonly transcript: string | null
}

/** So long one is kept: a model that was asked runs its command within minutes. */
export const REQUEST_LASTS_MS = 86_400_000
