/**
 * What `codex exec --json` writes to stdout: one JSON object a line (what `codex app-server` writes
 * is in `app-server/wire.ts`). The kinds and fields are those
 * seen from Codex 0.80.0, 0.120.0 and 0.169.0. Objects are loose, because every release adds
 * fields; and what only decorates an event may be missing, so that no change of a detail costs the
 * proof that a turn ended.
 */
import * as z from 'zod/mini'
import { maybe, readEvent } from '../loose.ts'

/** Cumulative over the thread: a resumed run counts the turns before it too. */
export const wireUsage = z.looseObject({
  input_tokens: maybe(z.number()),
  cached_input_tokens: maybe(z.number()),
  output_tokens: maybe(z.number()),
})

const wireEvent = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('thread.started'),
    thread_id: z.string().check(z.minLength(1)),
  }),
  z.looseObject({ type: z.literal('turn.started') }),
  z.looseObject({ type: z.literal('turn.completed'), usage: maybe(wireUsage) }),
  z.looseObject({
    type: z.literal('turn.failed'),
    error: maybe(z.looseObject({ message: maybe(z.string()) })),
  }),
  // Also says "Reconnecting... 1/5 (...)", which is no end.
  z.looseObject({ type: z.literal('error'), message: z.string() }),
  z.looseObject({
    type: z.enum(['item.started', 'item.updated', 'item.completed']),
    item: z.looseObject({ type: z.string() }),
  }),
])

const wireItem = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('agent_message'), text: z.string() }),
  z.looseObject({ type: z.literal('reasoning'), text: z.string() }),
  z.looseObject({
    type: z.literal('command_execution'),
    command: z.string(),
    aggregated_output: maybe(z.string()),
    // Null while it runs; -1 where it could not be started.
    exit_code: maybe(z.nullable(z.number())),
    // `declined` stands in the binary of 0.169.0; it was not seen in a stream.
    status: maybe(z.string()),
  }),
  z.looseObject({
    type: z.literal('file_change'),
    changes: z.array(z.looseObject({ path: z.string() })),
    status: maybe(z.string()),
  }),
  z.looseObject({
    type: z.literal('mcp_tool_call'),
    server: z.string(),
    tool: z.string(),
    status: maybe(z.string()),
    error: maybe(z.nullable(z.looseObject({ message: maybe(z.string()) }))),
  }),
  // No failure: an unknown model or configuration key comes so, before the turn starts.
  z.looseObject({ type: z.literal('error'), message: z.string() }),
])

export type WireUsage = z.infer<typeof wireUsage>
export type WireEvent = z.infer<typeof wireEvent>
export type WireItem = z.infer<typeof wireItem>

/** Whether it is a message of the app-server, and no event of `exec`. */
export function isRpc(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, 'method') || Object.hasOwn(value, 'id')
}

export const parseEvent = (value: unknown) => readEvent(wireEvent, value)

/** An item of a known kind and shape. */
export function parseItem(item: { readonly type: string }): WireItem | undefined {
  return wireItem.safeParse(item).data
}
