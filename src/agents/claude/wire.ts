/**
 * What `claude -p --output-format stream-json --verbose` writes to stdout, one-shot or in a dialogue
 * (which has lines of its own besides: `dialogue/wire.ts`): one JSON object a line, of which `type` need not be the first key. The kinds and fields are those seen from Claude Code
 * 2.1.197 and 2.1.329. Objects are loose, because every release adds fields; and what only decorates
 * an event may be missing, so that no change of a detail costs the proof that a turn ended. Only
 * what is used is looked at: a tool's input and output may be megabytes.
 */
import * as z from 'zod/mini'
import { maybe, parseJson, readEvent } from '../loose.ts'
import { dialogueLines } from './dialogue/wire.ts'

const wireUsage = z.looseObject({
  /** Without what came from a cache, or went into it. */
  input_tokens: maybe(z.number()),
  cache_creation_input_tokens: maybe(z.number()),
  cache_read_input_tokens: maybe(z.number()),
  output_tokens: maybe(z.number()),
})

/** Of one model. */
const wireModelUsage = z.looseObject({
  inputTokens: maybe(z.number()),
  cacheCreationInputTokens: maybe(z.number()),
  cacheReadInputTokens: maybe(z.number()),
  outputTokens: maybe(z.number()),
  costUSD: maybe(z.number()),
})

const systemLine = z.looseObject({
  type: z.literal('system'),
  subtype: z.string(),
  /** A UUID. It becomes an argument and a part of paths: what could be anything else is none. */
  session_id: maybe(z.string().check(z.regex(/^[0-9a-z][0-9a-z-]*$/i))),
  /** Of `api_retry`. */
  attempt: maybe(z.number()),
  max_retries: maybe(z.number()),
  retry_delay_ms: maybe(z.number()),
  error_status: maybe(z.nullable(z.number())),
  error: maybe(z.string()),
  /** Of `permission_denied`. */
  tool_name: maybe(z.string()),
  tool_use_id: maybe(z.string()),
  message: maybe(z.string()),
  /** Of `background_tasks_changed`: those that are at work. */
  tasks: maybe(z.array(z.unknown())),
  /** Of `task_notification`: `completed`, `failed`, `stopped`. */
  status: maybe(z.string()),
  /** Of `session_state_changed`: `idle`, `running`, `requires_action`. */
  state: maybe(z.string()),
  /** Of `informational`. */
  content: maybe(z.string()),
  prompt_submit_outcome: maybe(z.looseObject({ kind: z.string() })),
})

const assistantLine = z.looseObject({
  type: z.literal('assistant'),
  message: z.looseObject({
    id: maybe(z.string()),
    content: z.array(z.unknown()),
    /** As it stood when the message began: of its output it knows next to nothing. */
    usage: maybe(wireUsage),
  }),
  /** The call by which a sub-agent was started; null for the agent itself. */
  parent_tool_use_id: maybe(z.nullable(z.string())),
  /** Claude Code speaks itself, because the model could not: `authentication_failed`, … */
  error: maybe(z.string()),
})

const userLine = z.looseObject({
  type: z.literal('user'),
  message: z.looseObject({ content: z.unknown() }),
  uuid: maybe(z.string()),
  /** It repeats what it was told. */
  isReplay: maybe(z.boolean()),
  /** Of the Bash tool an object; where it failed, text. */
  tool_use_result: maybe(z.unknown()),
  tool_result_meta: maybe(
    z.array(
      z.looseObject({
        id: maybe(z.string()),
        /** Missing where the call was interrupted. */
        permission_decision: maybe(z.looseObject({ decision: maybe(z.string()) })),
      }),
    ),
  ),
})

const rateLimitLine = z.looseObject({
  type: z.literal('rate_limit_event'),
  rate_limit_info: z.looseObject({
    status: z.string(),
    /** In seconds since 1970. */
    resetsAt: maybe(z.number()),
  }),
})

const resultLine = z.looseObject({
  type: z.literal('result'),
  subtype: maybe(z.string()),
  is_error: z.boolean(),
  result: maybe(z.string()),
  /** Answers of the model; 0: it was not asked. */
  num_turns: maybe(z.number()),
  errors: maybe(z.array(z.string())),
  api_error_status: maybe(z.nullable(z.number())),
  terminal_reason: maybe(z.string()),
  total_cost_usd: maybe(z.number()),
  usage: maybe(wireUsage),
  model_usage_since_last_result: maybe(z.record(z.string(), wireModelUsage)),
  permission_denials: maybe(
    z.array(
      z.looseObject({
        tool_name: z.string(),
        tool_use_id: maybe(z.string()),
        tool_input: maybe(z.unknown()),
      }),
    ),
  ),
})

const lines = z.discriminatedUnion('type', [
  systemLine,
  assistantLine,
  userLine,
  rateLimitLine,
  resultLine,
  ...dialogueLines,
])

const block = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('thinking'), thinking: z.string() }),
  z.looseObject({
    type: z.literal('tool_use'),
    id: z.string(),
    name: z.string(),
    input: maybe(z.unknown()),
  }),
  z.looseObject({
    type: z.literal('tool_result'),
    tool_use_id: z.string(),
    /** Text, or a list of blocks. */
    content: maybe(z.unknown()),
    is_error: maybe(z.boolean()),
  }),
])

/** What tools are given, as far as it is told of. */
const toolInput = z.looseObject({
  command: maybe(z.string()),
  file_path: maybe(z.string()),
  notebook_path: maybe(z.string()),
})

/** What the Bash tool says of a command that did not fail. */
const bashResult = z.looseObject({
  interrupted: z.boolean(),
  backgroundTaskId: z.optional(z.unknown()),
  /** An exit code other than 0 that is no failure, as that of a `grep` that finds nothing. */
  returnCodeInterpretation: z.optional(z.unknown()),
})

export type WireUsage = z.infer<typeof wireUsage>
export type WireLine = z.infer<typeof lines>
export type WireSystem = z.infer<typeof systemLine>
export type WireAssistant = z.infer<typeof assistantLine>
export type WireUser = z.infer<typeof userLine>
export type WireResult = z.infer<typeof resultLine>
type WireBlock = z.infer<typeof block>

export const parseLine = (line: string) => readEvent(lines, parseJson(line))

/** A part of a message of a known kind and shape, or the `type` that it bears. */
export function parseBlock(value: unknown): WireBlock | { readonly other: string } {
  const read = readEvent(block, value)
  return read.known ? read.event : { other: read.type }
}

export function parseToolInput(input: unknown): z.infer<typeof toolInput> {
  return toolInput.safeParse(input).data ?? {}
}

/** Whether the Bash tool has run a command to its end, with exit code 0. */
export function isCleanEnd(result: unknown): boolean {
  const parsed = bashResult.safeParse(result).data
  return (
    parsed !== undefined &&
    !parsed.interrupted &&
    parsed.backgroundTaskId === undefined &&
    parsed.returnCodeInterpretation === undefined
  )
}

/** The text of a content that is text, or a list of blocks. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  const texts = content.map(parseBlock).map(part => ('text' in part ? String(part.text) : ''))
  return texts.filter(text => text !== '').join('\n')
}
