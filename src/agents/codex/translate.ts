import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { parseItem, parseLine, type WireEvent, type WireItem, type WireUsage } from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000

/** Codex does not say why. */
const DECLINED = 'declined by Codex'

type Translated = ReturnType<Translator['translate']>
type ItemEvent = Extract<WireEvent, { item: unknown }>

/**
 * Codex's events in our words. The answer is the last `agent_message` of the turn; it counts once
 * the turn has ended well, and is gone if the turn failed.
 */
export const codexTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null },
  translate(state, line) {
    if (line.trim() === '') return { state, events: [] }
    const parsed = parseLine(line)
    return parsed.known
      ? translateEvent(state, parsed.event, line)
      : { state, events: [other(parsed.type, line)] }
  },
}

function translateEvent(state: Translation, event: WireEvent, line: string): Translated {
  switch (event.type) {
    case 'thread.started': {
      const session = asSessionId(event.thread_id)
      return { state: { ...state, session }, events: [{ kind: 'session_started', session }] }
    }
    case 'turn.started':
      return {
        state: { ...state, answer: null, turn: null },
        events: [{ kind: 'turn_started' }],
      }
    case 'turn.completed': {
      const usage = event.usage === undefined ? state.usage : convertUsage(event.usage)
      const ended: AgentEvent = { kind: 'turn_ended', ok: true }
      return {
        state: { ...state, usage, turn: { ok: true } },
        events: usage === null ? [ended] : [{ kind: 'usage_reported', usage }, ended],
      }
    }
    case 'turn.failed': {
      const message = event.error?.message ?? 'the turn failed, and Codex did not say why'
      const ended: AgentEvent = { kind: 'turn_ended', ok: false }
      // The same words have just come as an `error`.
      const said = state.turn?.ok === false && state.turn.message === message
      return {
        state: { ...state, answer: null, turn: { ok: false, message } },
        events: said ? [ended] : [{ kind: 'error_given', message }, ended],
      }
    }
    case 'error': {
      const { message } = event
      if (message.startsWith('Reconnecting...')) {
        return { state, events: [{ kind: 'warning_given', message }] }
      }
      // `turn.failed` follows, unless Codex dies in between; then this was the end.
      return {
        state: { ...state, turn: { ok: false, message } },
        events: [{ kind: 'error_given', message }],
      }
    }
    case 'item.started':
    case 'item.updated':
    case 'item.completed':
      return translateItem(state, event, line)
  }
}

function translateItem(state: Translation, event: ItemEvent, line: string): Translated {
  const item = parseItem(event.item)
  const unknown = { state, events: [other(`${event.type}:${event.item.type}`, line)] }
  if (item === undefined) return unknown
  if (event.type === 'item.completed') {
    const events = convertCompleted(item) ?? unknown.events
    return {
      state: item.type === 'agent_message' ? { ...state, answer: item.text } : state,
      events,
    }
  }
  // Its beginning is worth a line only where the end may be long in coming.
  return event.type === 'item.started' && item.type === 'command_execution'
    ? { state, events: [{ kind: 'command_started', command: item.command }] }
    : { state, events: [] }
}

/** Undefined: known, but nothing that our vocabulary has a word for. */
function convertCompleted(item: WireItem): readonly AgentEvent[] | undefined {
  switch (item.type) {
    case 'agent_message':
      return [{ kind: 'message_ended', text: item.text }]
    case 'reasoning':
      return [{ kind: 'reasoning_ended', text: item.text }]
    case 'command_execution': {
      const { command } = item
      const output = (item.aggregated_output ?? '').slice(-OUTPUT_KEPT)
      const ended: AgentEvent = {
        kind: 'command_ended',
        command,
        exitCode: item.exit_code ?? null,
        output,
      }
      return item.status === 'declined'
        ? [{ kind: 'action_refused', action: command, why: DECLINED }, ended]
        : [ended]
    }
    case 'file_change': {
      const paths = item.changes.map(change => change.path)
      const action = `change ${paths.join(', ')}`
      if (item.status === 'declined') {
        return [{ kind: 'action_refused', action, why: DECLINED }]
      }
      return item.status === 'failed'
        ? [{ kind: 'warning_given', message: `Codex could not ${action}` }]
        : [{ kind: 'files_changed', paths }]
    }
    case 'mcp_tool_call': {
      if (item.status !== 'failed') return undefined
      const why = item.error?.message ?? 'no reason given'
      return [{ kind: 'warning_given', message: `${item.server}.${item.tool} failed: ${why}` }]
    }
    case 'error':
      return [{ kind: 'warning_given', message: item.message }]
  }
}

export function convertUsage(usage: WireUsage): Usage {
  return {
    inputTokens: usage.input_tokens ?? null,
    cachedInputTokens: usage.cached_input_tokens ?? null,
    outputTokens: usage.output_tokens ?? null,
    costUsd: null, // Codex does not say.
  }
}

function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
