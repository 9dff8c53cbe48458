/**
 * What `pi --mode json` and `pi --mode rpc` write to stdout: one JSON object a line, of the kinds and
 * fields seen from Pi 0.73.1. Objects are loose, because every release adds fields; and what only decorates an event
 * may be missing, so that no change of a detail costs the proof that a turn ended.
 */
import * as z from 'zod/mini'
import { maybe, parseJson, readEvent } from '../loose.ts'

/** Of one request to the model; `input` is without what came from the cache. */
const wireUsage = z.looseObject({
  input: maybe(z.number()),
  output: maybe(z.number()),
  cacheRead: maybe(z.number()),
  cacheWrite: maybe(z.number()),
  cost: maybe(z.looseObject({ total: maybe(z.number()) })),
})

const wireContent = z.looseObject({
  type: z.string(),
  text: maybe(z.string()),
  thinking: maybe(z.string()),
})

const wireMessage = z.looseObject({
  role: z.string(),
  content: maybe(z.array(wireContent)),
  usage: maybe(wireUsage),
  /** `stop`, `toolUse`, `length`, `error` or `aborted`; only the model's messages have one. */
  stopReason: maybe(z.string()),
  errorMessage: maybe(z.string()),
})

/** What an extension asks, or only tells. */
const wireUiRequest = z.looseObject({
  type: z.literal('extension_ui_request'),
  id: z.string(),
  method: z.string(),
  title: maybe(z.string()),
  message: maybe(z.string()),
  placeholder: maybe(z.string()),
  options: maybe(z.array(z.string())),
  notifyType: maybe(z.string()),
})

/** To a command of ours, by its id. */
const wireResponse = z.looseObject({
  type: z.literal('response'),
  id: maybe(z.string()),
  success: z.boolean(),
  error: maybe(z.string()),
  data: maybe(
    z.looseObject({
      sessionId: maybe(z.string()),
      isStreaming: maybe(z.boolean()),
      pendingMessageCount: maybe(z.number()),
    }),
  ),
})

const wireEvent = z.discriminatedUnion('type', [
  wireResponse,
  wireUiRequest,
  z.looseObject({ type: z.literal('session'), id: z.string().check(z.minLength(1)) }),
  z.looseObject({ type: z.literal('agent_start') }),
  // There may be several: where Pi tries again after an error, another `agent_start` follows.
  z.looseObject({ type: z.literal('agent_end') }),
  z.looseObject({ type: z.literal('message_end'), message: wireMessage }),
  z.looseObject({
    type: z.literal('tool_execution_start'),
    toolCallId: z.string(),
    toolName: z.string(),
    args: maybe(z.looseObject({ command: maybe(z.string()), path: maybe(z.string()) })),
  }),
  z.looseObject({
    type: z.literal('tool_execution_end'),
    toolCallId: z.string(),
    toolName: z.string(),
    result: maybe(z.looseObject({ content: maybe(z.array(wireContent)) })),
    isError: maybe(z.boolean()),
  }),
  z.looseObject({
    type: z.literal('auto_retry_start'),
    delayMs: maybe(z.number()),
    errorMessage: maybe(z.string()),
  }),
  z.looseObject({
    type: z.literal('auto_retry_end'),
    success: maybe(z.boolean()),
    finalError: maybe(z.string()),
  }),
  z.looseObject({ type: z.literal('compaction_start') }),
  z.looseObject({
    type: z.literal('compaction_end'),
    willRetry: maybe(z.boolean()),
    errorMessage: maybe(z.string()),
  }),
  // Nothing that is not said by another event too.
  z.looseObject({
    type: z.enum([
      'turn_start',
      'turn_end',
      'message_start',
      'message_update',
      'tool_execution_update',
      'agent_settled',
      'queue_update',
      'session_info_changed',
      'thinking_level_changed',
    ]),
  }),
])

export type WireUiRequest = z.infer<typeof wireUiRequest>
export type WireResponse = z.infer<typeof wireResponse>
export type WireUsage = z.infer<typeof wireUsage>
export type WireContent = z.infer<typeof wireContent>
export type WireMessage = z.infer<typeof wireMessage>
export type WireEvent = z.infer<typeof wireEvent>

/**
 * Each update repeats all that its message, or its command's output, has come to so far: a long
 * answer is megabytes of them. So they are told by their first bytes. With another order of keys
 * they are parsed, and passed over after that.
 */
export function isUpdate(line: string): boolean {
  return (
    line.startsWith('{"type":"message_update"') ||
    line.startsWith('{"type":"tool_execution_update"')
  )
}

export const parseLine = (line: string) => readEvent(wireEvent, parseJson(line))
