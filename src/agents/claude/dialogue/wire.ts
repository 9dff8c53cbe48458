/**
 * What Claude Code 2.1.329 writes besides when it is talked to (`--input-format stream-json`): what it
 * asks of us, and what becomes of the messages that it was sent. Loose, as all that it writes.
 */
import * as z from 'zod/mini'
import { maybe } from '../../loose.ts'

/** It waits for a `control_response` of this id. */
const controlRequestLine = z.looseObject({
  type: z.literal('control_request'),
  request_id: z.string(),
  request: z.looseObject({
    subtype: z.string(),
    /** Of `can_use_tool`. */
    tool_name: maybe(z.string()),
    input: maybe(z.unknown()),
    tool_use_id: maybe(z.string()),
    decision_reason: maybe(z.string()),
  }),
})

/** It does not wait for it any more. */
const controlCancelLine = z.looseObject({
  type: z.literal('control_cancel_request'),
  request_id: z.string(),
})

/** The answer to a request of ours, or an answer of ours that it repeats. */
const controlResponseLine = z.looseObject({
  type: z.literal('control_response'),
  response: z.looseObject({ request_id: maybe(z.string()) }),
})

const lifecycleLine = z.looseObject({
  type: z.literal('command_lifecycle'),
  command_uuid: z.string(),
  /** `queued`, `started`, `completed`, `cancelled`, `discarded`, `refused`. */
  state: z.string(),
})

export const dialogueLines = [
  controlRequestLine,
  controlCancelLine,
  controlResponseLine,
  lifecycleLine,
] as const

export type WireControlRequest = z.infer<typeof controlRequestLine>
export type WireLifecycle = z.infer<typeof lifecycleLine>

/** What the tool is given by which Claude Code asks a person. */
const userQuestions = z.object({
  questions: z.array(
    z.object({
      question: z.string(),
      multiSelect: maybe(z.boolean()),
      options: z.catch(z.array(z.object({ label: z.string() })), []),
    }),
  ),
})

type WireUserQuestions = z.infer<typeof userQuestions>

export function parseUserQuestions(input: unknown): WireUserQuestions | undefined {
  const parsed = userQuestions.safeParse(input).data
  return parsed?.questions.length === 0 ? undefined : parsed
}

/** A line that we have said. */
const utterance = z.union([
  z.object({ type: z.literal('user'), uuid: z.optional(z.string()) }),
  z.object({
    type: z.literal('control_request'),
    request: z.object({ subtype: z.string() }),
  }),
  z.object({
    type: z.literal('control_response'),
    response: z.object({ request_id: z.string() }),
  }),
])

type WireUtterance = z.infer<typeof utterance>

/** Undefined: it is torn. */
export function parseUtterance(line: string): WireUtterance | undefined {
  try {
    return utterance.safeParse(JSON.parse(line)).data
  } catch {
    return undefined // half a line
  }
}
