/**
 * What somebody says to a task after it was handed in. It is stored first, then said to the agent:
 * in the middle of its turn where it can be talked to, else when its turn is over.
 */
export interface Message {
  /** Counts from 1 within the task. */
  readonly number: number
  readonly text: string
  /** Milliseconds since 1970. */
  readonly sentAt: number
  /** The attempt that was launched with it; null: none was. */
  readonly launchedWith: number | null
  /** When the agent's own output showed that it has it; null: it did not, or in a session that is lost. */
  readonly heardAt: number | null
}

const PREFIX = 'message:'

/** The key of the line by which a message is said (`Utterance.key`). */
export function messageKey(number: number): string {
  return `${PREFIX}${number}`
}

/** The number of the message that a key is of; undefined: it is of something else. */
export function messageOfKey(key: string): number | undefined {
  const digits = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : ''
  return /^\d+$/.test(digits) ? Number(digits) : undefined
}
