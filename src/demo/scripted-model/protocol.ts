import type { Conversation, Reply } from './script.ts'

/** An answer as the bytes of a stream, in the order in which they are sent. */
export interface Frames {
  /** Says that the request was accepted. */
  readonly opening: string
  /** The text, part by part; between any two the connection may break. */
  readonly parts: readonly string[]
  /** Whatever completes it: the whole text, tool calls, usage, the end. */
  readonly ending: string
}

/** A model API over HTTP: pure translation between its bytes and the words of `script.ts`. */
export interface Protocol {
  /** Whether a POST to this path (without its query) speaks this protocol. */
  matches(path: string): boolean
  readConversation(body: unknown): Conversation
  /** `id` is unique per answer, also across servers: an agent keeps it in its history. */
  reply(reply: Reply, conversation: Conversation, id: string): Frames
  /** What follows the opening where the model fails. */
  failure(code: string, message: string, id: string): string
}

/** The text in `count` parts of about equal length. */
export function partsOf(text: string, count: number): readonly string[] {
  const length = Math.max(1, Math.ceil(text.length / Math.max(1, count)))
  const parts: string[] = []
  for (let i = 0; i < text.length; i += length) parts.push(text.slice(i, i + length))
  return parts
}
