/** What is kept of a dialogue beside its translation, and the ids of the requests that are ours. */
import type { Translation } from '../../ports/agent.ts'
import type { FormField } from '../forms.ts'
import type { RequestId } from '../json-rpc.ts'

/**
 * Our own requests: each is made once at most, so that its id is its name. Both sides number for
 * themselves.
 */
export const REQUESTS = {
  initialize: 1,
  authenticate: 2,
  session: 3,
  /** The session's mode, where it only spares questions. */
  mode: 4,
  /** The same, where the task must not go on without it. */
  neededMode: 5,
  model: 6,
  effort: 7,
  prompt: 8,
} as const

export type RequestName = keyof typeof REQUESTS

/**
 * Messages are prompts of their own, one at a time, with as many messages as there are: their id tells
 * the number of the last one. Right before each goes a request of no known method, which is answered
 * at once: what is said after that answer is of the new turn, and no rest of the one before.
 */
const FIRST_MESSAGE = 1_000_000
const FIRST_MARK = 2_000_000

export const messageId = (message: number) => FIRST_MESSAGE + message
export const markId = (message: number) => FIRST_MARK + message
/** As the protocol names what is not its own. */
export const MARK = '_holdfast/next_prompt'
export const markKey = (message: number) => `mark:${message}`

/** Undefined: it is of something else. */
export function messageOfId(id: RequestId): number | undefined {
  const isOne = typeof id === 'number' && id > FIRST_MESSAGE && id < FIRST_MARK
  return isOne ? id - FIRST_MESSAGE : undefined
}

export function messageOfMark(id: RequestId): number | undefined {
  return typeof id === 'number' && id > FIRST_MARK ? id - FIRST_MARK : undefined
}

/** What an agent asks of us. */
export type OpenRequest = {
  readonly id: RequestId
  /** The same as a word: what its question is known by. */
  readonly name: string
} & (
  | {
      readonly kind: 'permission'
      readonly action: string
      /** What the agent says what sort of tool it is. */
      readonly tool: string | null
      readonly call: string | null
      readonly options: readonly Choice[]
    }
  | { readonly kind: 'form'; readonly text: string; readonly fields: readonly FormField[] }
  | { readonly kind: 'unsupported'; readonly method: string }
)

export interface Choice {
  readonly id: string
  readonly name: string
  readonly kind: string
}

/** A tool call under way. */
export interface Call {
  readonly title: string
  readonly kind: string
  readonly command: string | null
  readonly paths: readonly string[]
  readonly output: string
  readonly exitCode: number | null
  /** Its beginning is in the log. */
  readonly isTold: boolean
}

/** Plain JSON, stored at every look. */
export interface Own {
  /** What the agent can do, once it has answered `initialize`. */
  readonly greeting: {
    readonly canLoad: boolean
    readonly canResume: boolean
    readonly logins: readonly string[]
  } | null
  /** What a session lets us choose, once there is one. */
  readonly opened: {
    readonly modes: readonly string[]
    /** Its configuration options: by what they are about, their ids. */
    readonly options: Readonly<Record<string, string>>
  } | null
  /** What it says is of the turn, and no history any more. */
  readonly isBegun: boolean
  /** Those of our requests that were answered. */
  readonly answered: readonly RequestName[]
  readonly requests: readonly OpenRequest[]
  readonly calls: Readonly<Record<string, Call>>
  /** What it is just saying or thinking. */
  readonly speech: {
    readonly of: 'message' | 'thought'
    readonly id: string | null
    readonly text: string
  } | null
  readonly costUsd: number | null
  /** codex-acp: the turn fails, though its answer will say that it ended. */
  readonly isBroken: boolean
  /** The turn is that of the messages up to this one. Absent: of the prompt. */
  readonly told?: number
  /** Which of our requests failed, and with what code, where the turn did. */
  readonly failure: { readonly at: RequestName; readonly code: number | null } | null
}

const INITIAL: Own = {
  greeting: null,
  opened: null,
  isBegun: false,
  answered: [],
  requests: [],
  calls: {},
  speech: null,
  costUsd: null,
  isBroken: false,
  failure: null,
}

/** A translation that we made has an `Own`; one without it is of an attempt that has just begun. */
export function ownOf({ own }: Translation): Own {
  return (own as Own | undefined) ?? INITIAL
}
