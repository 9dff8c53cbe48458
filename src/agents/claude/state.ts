/** What a translation of Claude Code's lines keeps beyond what all agents have. Plain JSON. */
import type { Translation } from '../../ports/agent.ts'
import type { Talk } from './dialogue/state.ts'

export interface ClaudeState {
  /** Those at work. */
  readonly tools: readonly OpenTool[]
  /** Commands and sub-agents in the background: a turn begins by itself when one of them ends. */
  readonly background: number
  /** The ids of calls that were refused, so that none is told of twice. */
  readonly refused: readonly string[]
  /** What the account may use is used up; until when, in seconds since 1970, where that was said. */
  readonly limit: { readonly resetsAt: number | null } | null
  /** What Claude Code itself says of a failure, in its own names; null: nothing has failed. */
  readonly failure: ClaudeFailure | null
  readonly counted: Counted
  /** The answer of the turn before this one, where that went well. Absent: there was none. */
  readonly before?: { readonly answer: string | null }
  /** A hook of the user's has kept a prompt from the model, in its words. Absent: none has. */
  readonly blocked?: string
  /** Absent: nothing came that only a dialogue has. */
  readonly talk?: Talk
}

export interface OpenTool {
  readonly id: string
  readonly name: string
  /** The command, the path, or what else there is to say of it. */
  readonly about: string
}

/** The `ClaudeFailure.subtype` of a turn in which the model was not asked for anything. */
export const NOT_ASKED = 'not_asked'

export interface ClaudeFailure {
  /** As `authentication_failed` or `rate_limit`. */
  readonly kind: string | null
  /** Of HTTP. */
  readonly status: number | null
  /** Of the result, as `error_max_turns`. */
  readonly subtype: string | null
  /** As `aborted_tools`. */
  readonly ending: string | null
}

/** This attempt's tokens. */
export interface Counted {
  /** All that its results have said; null: there was none yet. */
  readonly settled: Tokens | null
  /** What the messages since the last result have said. */
  readonly open: { readonly input: number; readonly cached: number }
  /** Their ids: a message comes in several lines, and each says the same. */
  readonly messages: readonly string[]
}

export interface Tokens {
  readonly input: number | null
  readonly cached: number | null
  readonly output: number | null
  readonly costUsd: number | null
}

const NOTHING_COUNTED: Counted = {
  settled: null,
  open: { input: 0, cached: 0 },
  messages: [],
}

export const INITIAL: ClaudeState = {
  tools: [],
  background: 0,
  refused: [],
  limit: null,
  failure: null,
  counted: NOTHING_COUNTED,
}

/** A translation made by our translator. */
export interface ClaudeTranslation extends Translation {
  readonly own: ClaudeState
}

export function ownState({ own }: Translation): ClaudeState {
  return own === undefined ? INITIAL : (own as ClaudeState)
}
