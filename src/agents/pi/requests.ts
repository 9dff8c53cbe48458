/**
 * What Pi's extensions ask, and the one with which a task asks before it edits or runs anything
 * (`ask-first.ts`). Where a task is not to ask, each is told at once that nobody answers, as it would
 * be of a Pi without anybody before it.
 */
import * as z from 'zod/mini'
import type { AgentEvent } from '../../domain/agent-events.ts'
import type { Question } from '../../domain/question.ts'
import type { WireUiRequest } from './wire.ts'

export const openRequest = z.object({
  id: z.string(),
  kind: z.enum(['confirm', 'select', 'words']),
  text: z.string(),
  /** Of `select`. */
  options: z.array(z.string()),
})

export type OpenRequest = z.infer<typeof openRequest>

/** Requests are stored at every look, and read by people. */
const TEXT_KEPT = 2_000
const OPTIONS_KEPT = 20

const YES_OR_NO = [
  { id: 'yes', label: 'Yes' },
  { id: 'no', label: 'No' },
] as const

/** Undefined: it only tells something, and waits for nothing. */
export function readRequest(wire: WireUiRequest): OpenRequest | undefined {
  const { id, method, title = '', message = '', placeholder = '', options = [] } = wire
  const words = [title, method === 'confirm' ? message : placeholder].filter(part => part !== '')
  const text = words.join(': ').slice(0, TEXT_KEPT) || 'it asks for an answer'
  switch (method) {
    case 'confirm':
      return { id, kind: 'confirm', text, options: [] }
    case 'select':
      return { id, kind: 'select', text, options: options.slice(0, OPTIONS_KEPT) }
    case 'input':
    case 'editor':
      return { id, kind: 'words', text, options: [] }
    default:
      return undefined
  }
}

export function questionOf({ id, kind, text, options }: OpenRequest): Question {
  if (kind === 'confirm') return { id, text, options: [...YES_OR_NO] }
  return { id, text, options: options.map(option => ({ id: option, label: option })) }
}

interface Reply {
  readonly body: object
  readonly events: readonly AgentEvent[]
}

/** Nobody answers. */
export function cancelReply({ text }: OpenRequest, why: string | null): Reply {
  const events = why === null ? [] : [{ kind: 'action_refused', action: text, why } as const]
  return { body: { cancelled: true }, events }
}

/** Undefined: it is no answer to that. */
export function replyTo(request: OpenRequest, answer: string): Reply | undefined {
  const { kind, text, options } = request
  if (kind === 'words') return { body: { value: answer }, events: [] }
  const words = fold(answer)
  if (kind === 'select') {
    const value =
      options.find(option => option === answer) ?? options.find(option => fold(option) === words)
    return value === undefined ? undefined : { body: { value }, events: [] }
  }
  const chosen = YES_OR_NO.find(({ id }) => id === words || (words !== '' && id[0] === words))
  if (chosen === undefined) return undefined
  const refused: AgentEvent = { kind: 'action_refused', action: text, why: chosen.label }
  const confirmed = chosen.id === 'yes'
  return { body: { confirmed }, events: confirmed ? [] : [refused] }
}

const fold = (words: string) => words.trim().toLowerCase()
