/**
 * What the scripted model is told to do, and what it heard. No protocol is known here: each one
 * (`responses.ts` and its siblings) turns these words into its own.
 */

/** One answer of the model to one request. */
export type Turn = {
  /** Milliseconds before the first byte. */
  readonly delayMs?: number
} & (Reply | HttpError | UsageLimit | Drop | Hang | Failed)

/** Says something, runs a command, or both; what is only said ends the agent's turn. */
export interface Reply {
  readonly kind: 'reply'
  readonly text?: string
  /** A shell command, run by whichever tool of the request's list runs commands. */
  readonly shell?: string
  /** Any other tool that the agent offers, by its own name. */
  readonly tool?: ToolCall
  /** Others in the same answer, after that one (Claude Code). */
  readonly more?: readonly ToolCall[]
  /** What is answered by Claude Code's tool for an answer that is held to a schema. */
  readonly structured?: unknown
  /** In how many parts the text comes; 1 where nothing is said. */
  readonly chunks?: number
  /** Milliseconds after each part. */
  readonly chunkMs?: number
  /** What comes after the first part waits for this. */
  readonly until?: Promise<unknown>
}

export interface ToolCall {
  readonly name: string
  readonly input: unknown
}

/** Refuses the request before any stream begins. */
interface HttpError {
  readonly kind: 'http_error'
  readonly status: number
  /** Sent as JSON, or as it is where it is text. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Refuses the request as a used-up account is refused, in the words of each protocol. */
interface UsageLimit {
  readonly kind: 'usage_limit'
  /** When the limit is lifted; milliseconds since 1970. */
  readonly resetsAtMs: number
}

/** The connection breaks: before any header, or after the first part of a text. */
interface Drop {
  readonly kind: 'drop'
  readonly when: 'before' | 'mid'
}

/** The answer begins and never goes on; the connection stays open. */
interface Hang {
  readonly kind: 'hang'
}

/** The stream itself says that the model failed. */
interface Failed {
  readonly kind: 'failed'
  readonly code: string
  readonly message: string
}

/** Says a text and ends the agent's turn. */
export const say = (text: string): Turn => ({ kind: 'reply', text })
/** Runs a shell command; the next request brings its output. */
export const shell = (command: string, text?: string): Turn =>
  text === undefined ? { kind: 'reply', shell: command } : { kind: 'reply', shell: command, text }

/** Calls a tool by its own name (Claude Code and Codex); of an MCP server: `mcp__SERVER__TOOL`. */
export const call = (name: string, input: unknown): Turn => ({
  kind: 'reply',
  tool: { name, input },
})

/** Calls tools side by side (Claude Code). */
export const callAll = ([tool, ...more]: readonly [ToolCall, ...ToolCall[]]): Turn => ({
  kind: 'reply',
  tool,
  more,
})

/** The account's limit is reached until then (milliseconds since 1970). */
export const usageLimit = (resetsAtMs: number): Turn => ({ kind: 'usage_limit', resetsAtMs })

/** What a model request said, in words that all protocols share. */
export interface Conversation {
  /** The texts of the user's side, oldest first; agents add context of their own to it. */
  readonly userTexts: readonly string[]
  /** Results of tools given back since each of `userTexts`: `resultsAfter[i]` for `userTexts[i]`. */
  readonly resultsAfter: readonly number[]
  /** The names of the tools that the agent offers. */
  readonly tools: readonly string[]
}

/** A request as it came, and what it was answered with. */
export interface RecordedRequest {
  /** Counts from 1, in order of arrival. */
  readonly number: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON, or the text itself where it is none. */
  readonly body: unknown
  /** Null for what is no request to a model. */
  readonly conversation: Conversation | null
  /**
   * The turn that answered it; `side` for a request without tools (a title, a probe), `waits` where a
   * command of the turn before it still runs.
   */
  readonly answer: Turn | 'side' | 'waits' | 'not_a_turn'
}

/** A model request that waits for its turn to be chosen. */
export type TurnRequest = Omit<RecordedRequest, 'answer' | 'conversation'> & {
  readonly conversation: Conversation
}

/** Picks the turn for a request; undefined leaves it to the queue of turns. */
export type Choose = (request: TurnRequest) => Turn | undefined

/**
 * A script for each marker word, so that many tasks can share one server: the newest user text
 * with a marker in it names the script, and the tool results since then are the place in it. It
 * holds no state, so a request that an agent repeats gets the same turn again, and a session that
 * is resumed goes on where its script was. After its end the last turn repeats.
 */
export function byMarker(scripts: Readonly<Record<string, readonly Turn[]>>): Choose {
  return ({ conversation }) => {
    for (let i = conversation.userTexts.length - 1; i >= 0; i--) {
      const text = conversation.userTexts[i] ?? ''
      const marker = Object.keys(scripts).find(word => text.includes(word))
      if (marker === undefined) continue
      const turns = scripts[marker] ?? []
      return turns[Math.min(conversation.resultsAfter[i] ?? 0, turns.length - 1)]
    }
    return undefined
  }
}
