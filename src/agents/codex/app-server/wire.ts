/**
 * What `codex app-server` writes to stdout: JSON-RPC, one message a line. The kinds and fields are
 * those seen from Codex 0.163.0 and 0.169.0 (`codex app-server generate-ts` prints them all). What
 * only decorates a message may be missing, so that no change of a detail costs the proof that a turn
 * ended.
 */
import * as z from 'zod/mini'
import { requestId } from '../../json-rpc.ts'
import { maybe } from '../../loose.ts'
import type { WireItem } from '../wire.ts'

const text = maybe(z.nullable(z.string()))
const id = z.string().check(z.minLength(1))

/** The results of `thread/start` and `thread/resume`. */
export const parseThread = (result: unknown) =>
  z.safeParse(z.looseObject({ thread: z.looseObject({ id }) }), result).data?.thread.id

/** The result of `turn/start`: the turn that has begun, or the one that was at work already. */
export const parseTurnId = (result: unknown) =>
  z.safeParse(z.looseObject({ turn: z.looseObject({ id }) }), result).data?.turn.id

const turnError = z.looseObject({
  message: maybe(z.string()),
  /** A word, or an object whose one key is a word. */
  codexErrorInfo: maybe(z.unknown()),
  additionalDetails: text,
})

export type WireTurnError = z.infer<typeof turnError>

const withStatus = z.record(
  z.string(),
  z.looseObject({ httpStatusCode: maybe(z.nullable(z.number())) }),
)

/** What an error is, in Codex's word, and the HTTP status that it came with. */
export function readErrorInfo(info: unknown): {
  readonly word: string | null
  readonly status: number | null
} {
  if (typeof info === 'string') return { word: info, status: null }
  const [entry] = Object.entries(z.safeParse(withStatus, info).data ?? {})
  return { word: entry?.[0] ?? null, status: entry?.[1].httpStatusCode ?? null }
}

const turn = z.looseObject({
  id: maybe(z.string()),
  status: text,
  error: maybe(z.nullable(turnError)),
})

const tokens = z.looseObject({
  inputTokens: maybe(z.number()),
  cachedInputTokens: maybe(z.number()),
  outputTokens: maybe(z.number()),
})

const rateWindow = z.looseObject({
  usedPercent: z.number(),
  /** In seconds since 1970. */
  resetsAt: maybe(z.nullable(z.number())),
})

const item = z.looseObject({ type: z.string(), id: text })

export type WireServerItem = z.infer<typeof item>

const threadId = text

/** By method; what is not here, we do not need, or do not know. */
const notifications = {
  'turn/started': z.looseObject({ threadId, turn: maybe(turn) }),
  'turn/completed': z.looseObject({ threadId, turn: z.extend(turn, { status: z.string() }) }),
  'item/started': z.looseObject({ threadId, item }),
  'item/completed': z.looseObject({ threadId, item }),
  error: z.looseObject({ threadId, willRetry: maybe(z.boolean()), error: turnError }),
  'thread/tokenUsage/updated': z.looseObject({
    threadId,
    // Of the whole thread: also of the turns before a resume.
    tokenUsage: z.looseObject({ total: tokens }),
  }),
  'account/rateLimits/updated': z.looseObject({
    threadId,
    rateLimits: z.looseObject({
      limitId: text,
      primary: maybe(z.nullable(rateWindow)),
      secondary: maybe(z.nullable(rateWindow)),
    }),
  }),
  'thread/goal/updated': z.looseObject({ threadId, goal: z.looseObject({ status: text }) }),
  'thread/goal/cleared': z.looseObject({ threadId }),
  'thread/closed': z.looseObject({ threadId }),
  'hook/completed': z.looseObject({
    threadId,
    run: z.looseObject({
      eventName: z.string(),
      status: z.string(),
      entries: z.catch(z.array(z.looseObject({ text: z.string() })), []),
    }),
  }),
  'serverRequest/resolved': z.looseObject({ threadId, requestId }),
  warning: z.looseObject({ threadId, message: z.string() }),
  guardianWarning: z.looseObject({ threadId, message: z.string() }),
  configWarning: z.looseObject({ threadId, summary: z.string(), details: text }),
  deprecationNotice: z.looseObject({ threadId, summary: z.string(), details: text }),
} as const

type Notifications = typeof notifications

export type WireNotification = {
  [Method in keyof Notifications]: {
    readonly method: Method
    readonly params: z.infer<Notifications[Method]>
  }
}[keyof Notifications]

/** Undefined: of no kind, or of no shape, that we know. */
export function parseNotification(method: string, params: unknown): WireNotification | undefined {
  if (!Object.hasOwn(notifications, method)) return undefined
  const parsed = z.safeParse(notifications[method as keyof Notifications], params)
  return parsed.success ? ({ method, params: parsed.data } as WireNotification) : undefined
}

/** The thread that a message is about; undefined: it does not say. */
export const threadOf = (params: unknown) =>
  z.safeParse(z.looseObject({ threadId: z.string() }), params).data?.threadId

const userMessage = z.looseObject({ type: z.literal('userMessage'), clientId: text })

/** What we named something that was said to it, once it has it; undefined: it is something else. */
export const parseHeard = (wire: WireServerItem) =>
  z.safeParse(userMessage, wire).data?.clientId ?? undefined

const status = text
const serverItem = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('agentMessage'), text: z.string() }),
  z.looseObject({
    type: z.literal('reasoning'),
    summary: z.catch(z.array(z.string()), []),
    content: z.catch(z.array(z.string()), []),
  }),
  z.looseObject({
    type: z.literal('commandExecution'),
    command: z.string(),
    aggregatedOutput: text,
    exitCode: maybe(z.nullable(z.number())),
    status,
  }),
  z.looseObject({
    type: z.literal('fileChange'),
    changes: z.array(z.looseObject({ path: z.string() })),
    status,
  }),
  z.looseObject({
    type: z.literal('mcpToolCall'),
    server: z.string(),
    tool: z.string(),
    status,
    error: maybe(z.nullable(z.looseObject({ message: maybe(z.string()) }))),
  }),
])

/** A step of the work in the words of `exec`, which are the same; undefined: of no kind that we know. */
export function parseServerItem(wire: WireServerItem): WireItem | undefined {
  const read = z.safeParse(serverItem, wire).data
  switch (read?.type) {
    case 'agentMessage':
      return { type: 'agent_message', text: read.text }
    case 'reasoning':
      return {
        type: 'reasoning',
        text: (read.summary.length > 0 ? read.summary : read.content).join('\n'),
      }
    case 'commandExecution':
      return {
        type: 'command_execution',
        command: read.command,
        aggregated_output: read.aggregatedOutput ?? undefined,
        exit_code: read.exitCode,
        status: read.status ?? undefined,
      }
    case 'fileChange':
      return { type: 'file_change', changes: read.changes, status: read.status ?? undefined }
    case 'mcpToolCall':
      return {
        type: 'mcp_tool_call',
        server: read.server,
        tool: read.tool,
        status: read.status ?? undefined,
        error: read.error,
      }
    default:
      return undefined
  }
}

/** Of `item/commandExecution/requestApproval`. */
export const parseCommandApproval = (params: unknown) =>
  z.safeParse(z.looseObject({ itemId: text, command: text, reason: text }), params).data

/** Of `item/fileChange/requestApproval`. */
export const parseEditApproval = (params: unknown) =>
  z.safeParse(z.looseObject({ itemId: text, reason: text }), params).data

const inputQuestion = z.looseObject({
  id,
  question: text,
  options: maybe(z.nullable(z.array(z.looseObject({ label: z.string() })))),
})

/** Of `item/tool/requestUserInput`. */
export const parseInput = (params: unknown) =>
  z.safeParse(z.looseObject({ questions: z.array(inputQuestion) }), params).data?.questions

/** Of `mcpServer/elicitation/request`. */
export const parseElicitation = (params: unknown) =>
  z.safeParse(
    z.looseObject({
      serverName: text,
      message: text,
      url: text,
      requestedSchema: maybe(z.unknown()),
    }),
    params,
  ).data
