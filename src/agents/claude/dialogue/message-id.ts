/**
 * The UUID under which a message is said: Claude Code repeats it when it takes the message, and takes
 * none twice. It follows from the message alone, so that it is the same whoever says it; its number
 * can be read from it. (Version 8 is free for such use; Claude Code's own are of version 4.)
 */
import { createHash } from 'node:crypto'
import type { Message } from '../../../domain/message.ts'

/** `round`: how often it was refused before. `session` keeps those of a task that follows apart. */
export function messageId(
  { number, text, sentAt }: Pick<Message, 'number' | 'text' | 'sentAt'>,
  session: string,
  round: number,
): string {
  const words = JSON.stringify([session, number, sentAt, text])
  const hash = createHash('sha256').update(words).digest('hex')
  const [a, b, c] = [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 15)]
  return `${a}-${b}-8${c}-a${digits(round, 3)}-${digits(number, 12)}`
}

/** A message that is refused so often is left to the next attempt. */
export const ROUNDS = 3

/** All under which a message may have been said. */
export function messageIds(message: Message, session: string): readonly string[] {
  return Array.from({ length: ROUNDS }, (_, round) => messageId(message, session, round))
}

const MESSAGE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a(\d{3})-(\d{12})$/

/** Undefined: it is of no message. */
export function parseMessageId(
  id: string,
): { readonly number: number; readonly round: number } | undefined {
  const [, round, number] = id.match(MESSAGE_ID) ?? []
  return number === undefined ? undefined : { number: Number(number), round: Number(round) }
}

const digits = (n: number, length: number) => String(n).padStart(length, '0')
