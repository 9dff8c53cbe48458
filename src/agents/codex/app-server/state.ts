/** What is kept of a dialogue with Codex beside its translation. */
import type { Translation } from '../../../ports/agent.ts'
import type { FormField } from '../../forms.ts'
import type { RequestId } from '../../json-rpc.ts'

/** What Codex asks of us. */
export type OpenRequest = {
  readonly id: RequestId
  /** The same as a word: what its question is known by. */
  readonly name: string
  /** Nobody waits for an answer any more. */
  readonly isResolved: boolean
} & (
  | {
      readonly kind: 'command' | 'edit'
      /** The step of its work that waits for this. */
      readonly item: string | null
      readonly action: string
      readonly reason: string | null
    }
  | { readonly kind: 'form'; readonly text: string; readonly fields: readonly FormField[] }
  | { readonly kind: 'visit'; readonly text: string }
  | { readonly kind: 'input'; readonly questions: readonly InputQuestion[] }
  | { readonly kind: 'permissions' }
  | { readonly kind: 'unsupported'; readonly method: string }
)

export interface InputQuestion {
  readonly id: string
  readonly text: string
  readonly labels: readonly string[]
}

/** Why a turn, or what was to come before it, failed. */
export interface ServerFailure {
  /** Whether it was the thread that could not be had. */
  readonly at: 'thread' | 'turn'
  readonly message: string
  /** Codex's word for it. */
  readonly word: string | null
  /** The HTTP status that it came with. */
  readonly status: number | null
  /** When a limit that was met ends, in milliseconds since 1970. */
  readonly passesAt: number | null
}

/** The message of a turn that was interrupted. */
export const INTERRUPTED = 'the turn was interrupted'

/** The word, and it is ours, for a turn whose prompt its model was never given. */
export const NOT_ASKED = 'not_asked'

/** One of the account's limits: what a model, or all of them, may use in each window of time. */
export interface AccountLimit {
  /** Null: it is the only one. */
  readonly id: string | null
  readonly primary: RateWindow | null
  readonly secondary: RateWindow | null
}

/** How much of it is used, and when it begins anew (in seconds since 1970). */
export interface RateWindow {
  readonly usedPercent: number
  readonly resetsAt: number | null
}

/** Plain JSON, stored at every look. */
export interface Own {
  readonly isGreeted: boolean
  readonly isOpened: boolean
  /** The turn that is at work, or was last. */
  readonly turnId: string | null
  readonly requests: readonly OpenRequest[]
  /** Edits under way, by the ids of their steps: what each is about. */
  readonly edits: Readonly<Record<string, string>>
  /** Messages that were taken by a turn, by their numbers: which one. */
  readonly taken: Readonly<Record<string, string>>
  /** How often a message was refused, by its number. */
  readonly refusals: Readonly<Record<string, number>>
  /** The one that was told of last is the last. Absent: none was told of. */
  readonly accountLimits?: readonly AccountLimit[]
  readonly failure: ServerFailure | null
  /** The turn that took the prompt, and whether the prompt is where its model reads it. Absent: neither. */
  readonly prompt?: { readonly turn: string | null; readonly isShown: boolean }
  /** Why a hook of the user's kept back what was said to it last. Absent: none did. */
  readonly keptBack?: string
  /** The answer of the turn before this one, which stands if this one gives none. Absent: there is none. */
  readonly standing?: string
  /** It works towards a goal that it has set itself: after a turn it begins the next by itself. */
  readonly hasGoal: boolean
}

const INITIAL: Own = {
  isGreeted: false,
  isOpened: false,
  turnId: null,
  requests: [],
  edits: {},
  taken: {},
  refusals: {},
  failure: null,
  hasGoal: false,
}

/** A translation of a dialogue has an `Own`; one without it has just begun, or is of no dialogue. */
export function ownOf({ own }: Translation): Own {
  return (own as Own | undefined) ?? INITIAL
}
