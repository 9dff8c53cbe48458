/** What is kept of a dialogue beside the translation of its lines. Plain JSON, stored at every look. */
import type { ClaudeTranslation } from '../state.ts'

export interface Talk {
  /** Numbers of messages that are in its conversation, and of which its model has yet to hear. */
  readonly taken: readonly number[]
  /** How often a message was refused, by its number. */
  readonly refused: Readonly<Record<string, number>>
  /** What it waits for an answer to. */
  readonly requests: readonly OpenRequest[]
  /** It works, or is about to by itself; null: it does not say. */
  readonly isBusy: boolean | null
}

export type OpenRequest = { readonly id: string } & (
  | {
      readonly kind: 'permission'
      readonly action: string
      readonly why: string | null
      /** The call that it is about; null: it does not say. */
      readonly call: string | null
    }
  | {
      readonly kind: 'choice'
      readonly call: string | null
      /** What the tool was given, which it is to be given back. */
      readonly input: object
      readonly questions: readonly Choice[]
    }
  | { readonly kind: 'unsupported'; readonly subtype: string }
)

interface Choice {
  readonly text: string
  readonly labels: readonly string[]
  readonly isMultiple: boolean
}

const NOTHING: Talk = { taken: [], refused: {}, requests: [], isBusy: null }

export function talkOf({ own }: { readonly own?: unknown }): Talk {
  return (own as { readonly talk?: Talk } | undefined)?.talk ?? NOTHING
}

export function withTalk(state: ClaudeTranslation, changes: Partial<Talk>): ClaudeTranslation {
  return { ...state, own: { ...state.own, talk: { ...talkOf(state), ...changes } } }
}
