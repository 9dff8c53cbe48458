/**
 * What an agent writes to stdout that speaks the Agent Client Protocol, version 1
 * (agentclientprotocol.com): JSON-RPC 2.0, one message a line. Objects are loose, because every
 * release adds fields; and what only decorates a message may be missing, so that no change of a
 * detail costs the proof that a turn ended.
 */
import * as z from 'zod/mini'
import { requestId } from '../json-rpc.ts'
import { maybe } from '../loose.ts'

const text = maybe(z.string())

/** Those that are of another shape are left out. */
const listOf = <Schema extends z.core.$ZodType>(schema: Schema) =>
  z.pipe(
    z.catch(z.array(z.unknown()), []),
    z.transform(items =>
      items.flatMap(item => {
        const parsed = z.safeParse(schema, item)
        return parsed.success ? [parsed.data] : []
      }),
    ),
  )

const greeting = z.looseObject({
  protocolVersion: z.number(),
  agentCapabilities: maybe(
    z.looseObject({
      loadSession: maybe(z.boolean()),
      sessionCapabilities: maybe(z.looseObject({ resume: maybe(z.looseObject({})) })),
    }),
  ),
  authMethods: listOf(z.looseObject({ id: z.string() })),
})

/** The result of `initialize`. */
export const parseGreeting = (result: unknown) => z.safeParse(greeting, result).data

const session = z.looseObject({
  sessionId: maybe(z.string().check(z.minLength(1))),
  modes: maybe(z.looseObject({ availableModes: listOf(z.looseObject({ id: z.string() })) })),
  configOptions: listOf(
    z.looseObject({
      id: z.string(),
      category: text,
      options: listOf(z.looseObject({ value: z.string() })),
    }),
  ),
})

/** The result of `session/new`, `session/load` and `session/resume`; of the last two it may be null. */
export const parseSession = (result: unknown) => z.safeParse(session, result ?? {}).data

const counts = z.looseObject({
  inputTokens: maybe(z.number()),
  outputTokens: maybe(z.number()),
  cachedReadTokens: maybe(z.number()),
  cachedWriteTokens: maybe(z.number()),
})

const promptResult = z.looseObject({
  stopReason: z.string(),
  usage: maybe(z.nullable(counts)),
  // Gemini CLI says it so.
  _meta: maybe(
    z.looseObject({
      quota: maybe(
        z.looseObject({
          token_count: maybe(
            z.looseObject({ input_tokens: maybe(z.number()), output_tokens: maybe(z.number()) }),
          ),
        }),
      ),
    }),
  ),
})

export type WirePromptResult = z.infer<typeof promptResult>

/** The result of `session/prompt`: the end of the turn. */
export const parsePromptResult = (result: unknown) => z.safeParse(promptResult, result).data

const content = z.looseObject({ type: text, text })

const path = z.looseObject({ path: z.string() })

/** What a tool call and its updates say; each only what has changed. */
const toolCall = z.looseObject({
  toolCallId: z.string(),
  title: text,
  kind: text,
  status: text,
  locations: listOf(path),
  content: listOf(z.looseObject({ type: text, path: text, content: maybe(content) })),
  rawInput: maybe(z.looseObject({ command: maybe(z.union([z.string(), z.array(z.string())])) })),
  rawOutput: maybe(
    z.union([
      z.string(),
      z.looseObject({
        output: text,
        exit_code: maybe(z.number()),
        metadata: maybe(z.looseObject({ exit: maybe(z.number()) })),
      }),
    ]),
  ),
  // codex-acp says so what a command printed, and how it ended.
  _meta: maybe(
    z.looseObject({
      terminal_output_delta: maybe(z.looseObject({ data: text })),
      terminal_exit: maybe(z.looseObject({ exit_code: maybe(z.number()) })),
    }),
  ),
})

export type WireToolCall = z.infer<typeof toolCall>

const chunk = { content, messageId: maybe(z.string()) }

const update = z.discriminatedUnion('sessionUpdate', [
  z.looseObject({
    sessionUpdate: z.enum(['agent_message_chunk', 'agent_thought_chunk', 'user_message_chunk']),
    ...chunk,
  }),
  z.extend(toolCall, { sessionUpdate: z.enum(['tool_call', 'tool_call_update']) }),
  z.looseObject({
    sessionUpdate: z.literal('usage_update'),
    cost: maybe(z.nullable(z.looseObject({ amount: z.number(), currency: z.string() }))),
  }),
  z.looseObject({
    sessionUpdate: z.literal('session_info_update'),
    // codex-acp says so, and in no other machine's words, that its turn fails.
    _meta: maybe(
      z.looseObject({
        codex: maybe(z.looseObject({ threadStatus: maybe(z.looseObject({ type: text })) })),
      }),
    ),
  }),
  // Nothing of what they say is a step of the work.
  z.looseObject({
    sessionUpdate: z.enum([
      'available_commands_update',
      'config_option_update',
      'current_mode_update',
      'plan',
      'plan_removed',
      'plan_update',
    ]),
  }),
])

export type WireUpdate = z.infer<typeof update>

const updateParams = z.looseObject({
  sessionId: text,
  update: z.looseObject({ sessionUpdate: text }),
})

/** Of `session/update`: whose it is, what kind it is, and, if we know that, what it says. */
export function parseUpdate(params: unknown): {
  readonly session: string | undefined
  readonly kind: string
  readonly update: WireUpdate | undefined
} {
  const { data } = z.safeParse(updateParams, params)
  return {
    session: data?.sessionId,
    kind: data?.update.sessionUpdate ?? 'malformed',
    update: z.safeParse(update, data?.update).data,
  }
}

const permission = z.looseObject({
  toolCall: maybe(toolCall),
  options: listOf(z.looseObject({ optionId: z.string(), name: text, kind: text })),
})

/** Of `session/request_permission`. */
export const parsePermission = (params: unknown) => z.safeParse(permission, params).data

const form = z.looseObject({ message: text, requestedSchema: maybe(z.unknown()) })

/** Of `elicitation/create`: a question in words, or with a form. */
export const parseForm = (params: unknown) => z.safeParse(form, params).data

const cancelled = z.looseObject({ requestId: requestId })

/** Of `$/cancel_request`: the agent no longer waits for an answer. */
export const parseCancelled = (params: unknown) => z.safeParse(cancelled, params).data?.requestId
