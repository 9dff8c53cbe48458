/**
 * JSON-RPC as agents speak it over their stdin and stdout: one message a line. Objects are loose,
 * and what is of no known shape is `malformed`.
 */
import * as z from 'zod/mini'
import type { AgentEvent } from '../domain/agent-events.ts'
import { maybe, parseJson } from './loose.ts'

export const requestId = z.union([z.string(), z.number()])

export type RequestId = z.infer<typeof requestId>

const rpcError = z.looseObject({
  code: maybe(z.number()),
  message: maybe(z.string()),
  data: maybe(z.unknown()),
})

export type RpcError = z.infer<typeof rpcError>

const message = z.looseObject({
  id: maybe(requestId),
  method: maybe(z.string()),
  params: maybe(z.looseObject({})),
  result: maybe(z.unknown()),
  error: maybe(rpcError),
})

export type RpcMessage =
  | { readonly kind: 'result'; readonly id: RequestId; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: RequestId; readonly error: RpcError }
  | {
      readonly kind: 'request'
      readonly id: RequestId
      readonly method: string
      readonly params: unknown
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'malformed' }

/** The protocol's own: there is no such method. */
export const METHOD_NOT_FOUND = -32_601

export const parseMessage = (line: string) => readMessage(parseJson(line))

/** The same of a line that was parsed already. */
export function readMessage(value: unknown): RpcMessage {
  const parsed = z.safeParse(message, value)
  if (!parsed.success) return { kind: 'malformed' }
  const { id, method, params, result, error } = parsed.data
  if (method !== undefined) {
    return id === undefined
      ? { kind: 'notification', method, params }
      : { kind: 'request', id, method, params }
  }
  if (id === undefined) return { kind: 'malformed' }
  if (error !== undefined) return { kind: 'error', id, error }
  return 'result' in parsed.data ? { kind: 'result', id, result } : { kind: 'malformed' }
}

/** The id of a request as a word. A text that looks like a number keeps its quotes. */
export function nameOf(id: RequestId): string {
  return typeof id === 'number' || /^"|^-?\d/.test(id) ? JSON.stringify(id) : id
}

/** What is said in return to a request: a result, or an error; and what that means for the log. */
export interface Reply {
  readonly body: { readonly result: unknown } | { readonly error: unknown }
  readonly events: readonly AgentEvent[]
}
