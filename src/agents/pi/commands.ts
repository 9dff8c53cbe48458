/**
 * What is said to `pi --mode rpc`: one JSON object a line. Pi answers each under its id, which is its
 * key; of a message it has a digest beside it, by which what the model is shown is known again.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import { messageOfKey } from '../../domain/message.ts'
import { answerKey } from '../../domain/question.ts'
import { writeLine } from '../json-line.ts'
import { plainWords } from '../plain-words.ts'

export const STATE = 'state'
export const PROMPT = 'prompt'
export const ABORT = 'abort'
/** Asks whether Pi has come to rest: after so many runs, with this message as the last in its queue. */
export const settleKey = (ends: number, message: number) => `settle:${ends}.${message}`
/** Makes a Pi go on that has something in its queue, and does nothing. */
export const kickKey = (ends: number) => `kick:${ends}`
/** Says a message once more that was refused. */
export const againKey = (message: number) => `again:${message}`

/** The number of the message that is said under a key. */
export function numberOf(key: string): number | undefined {
  return messageOfKey(key.startsWith('again:') ? key.replace('again', 'message') : key)
}

const KICK = 'Go on with what you are told.'

export const askState = (key: string) => writeLine({ id: key, type: 'get_state' })
export const abort = () => writeLine({ id: ABORT, type: 'abort' })
export const kick = (key: string) => writePrompt(key, KICK)
export const sayPrompt = (text: string) => writePrompt(PROMPT, text)

export function sayMessage(key: string, text: string): string {
  const words = plainWords(text)
  return writePrompt(`${key}#${digestOf(words)}`, words)
}

export const answer = (id: string, body: object) =>
  writeLine({ type: 'extension_ui_response', id, ...body })

/**
 * In the middle of a run it is heard before the model is asked the next time; without one, it begins
 * one: only Pi itself knows which of the two it is when the line comes.
 */
function writePrompt(id: string, message: string): string {
  return writeLine({ id, type: 'prompt', message, streamingBehavior: 'steer' })
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

const command = z.looseObject({ id: z.string(), type: z.string() })

/** The key of a line that was said; undefined for a torn one. */
export function keyOfLine(line: string): string | undefined {
  try {
    const { id, type } = command.parse(JSON.parse(line))
    return type === 'extension_ui_response' ? answerKey(id) : keyOfId(id).key
  } catch {
    return undefined // torn: it was not said
  }
}

/** The key that an id is made of, and the digest of a message. */
export function keyOfId(id: string): { readonly key: string; readonly digest: string } {
  const [key = '', digest = ''] = id.split('#')
  return { key, digest }
}
