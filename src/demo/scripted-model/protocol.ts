import type { Conversation, Reply, ToolCall } from './script.ts'

/** An answer as the bytes of a stream, in the order in which they are sent. */
export interface Frames {
  /** Says that the request was accepted; empty where a protocol has no words for it. */
  readonly opening: string
  /** The text, part by part; between any two the connection may break. */
  readonly parts: readonly string[]
  /** Whatever completes it: the whole text, tool calls, usage, the end. */
  readonly ending: string
}

/** What comes with status 429 where an account has used up what it may. */
interface Refused {
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** A model API over HTTP: pure translation between its bytes and the words of `script.ts`. */
export interface Protocol {
  /** Whether a POST to this path (without its query) speaks this protocol. */
  matches(path: string): boolean
  readConversation(body: unknown): Conversation
  /**
   * What waits on for a command that the agent has left running, and has just said so; undefined:
   * there is none. Its result is the command's, for which the script has no turn before that.
   */
  waitOn?(body: unknown): ToolCall | undefined
  /** `id` is unique per answer, also across servers: an agent keeps it in its history. */
  reply(reply: Reply, conversation: Conversation, id: string): Frames
  /** What follows the opening where the model fails. */
  failure(code: string, message: string, id: string): string
  /** `secondsLeft` until the limit is lifted, at `resetsAt` (seconds since 1970). */
  usageLimit(resetsAt: number, secondsLeft: number): Refused
  /** For a protocol that also answers in one piece, as JSON. */
  readonly inOnePiece?: {
    isWanted(body: unknown, path: string): boolean
    reply(reply: Reply, conversation: Conversation, id: string): unknown
  }
}

/** The text in `count` parts of about equal length. */
export function partsOf(text: string, count: number): readonly string[] {
  const length = Math.max(1, Math.ceil(text.length / Math.max(1, count)))
  const parts: string[] = []
  for (let i = 0; i < text.length; i += length) parts.push(text.slice(i, i + length))
  return parts
}

/** One step of a conversation, as far as a script cares. */
export type Heard =
  | { readonly kind: 'user'; readonly text: string }
  | { readonly kind: 'tool_result' }

/** Counts, for each text of the user, the tool results since. */
export function makeConversation(heard: readonly Heard[], tools: readonly string[]): Conversation {
  const userTexts: string[] = []
  const resultsAfter: number[] = []
  for (const step of heard) {
    if (step.kind === 'user') {
      userTexts.push(step.text)
      resultsAfter.push(0)
    } else {
      for (let i = 0; i < resultsAfter.length; i++) resultsAfter[i] = (resultsAfter[i] ?? 0) + 1
    }
  }
  return { userTexts, resultsAfter, tools }
}

/** A server-sent event whose name stands in its data too. */
export function namedEvent(type: string, fields: object): string {
  return `event: ${type}\n${plainEvent({ type, ...fields })}`
}

export function plainEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}
