import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { readMessage } from '../json-rpc.ts'
import { parseJson } from '../loose.ts'
import { translateMessage } from './app-server/translate.ts'
import { convertCompleted, convertUsage, other } from './items.ts'
import { isRpc, parseEvent, parseItem, type WireEvent } from './wire.ts'

type Translated = ReturnType<Translator['translate']>
type ItemEvent = Extract<WireEvent, { item: unknown }>

/**
 * Codex in our words, whichever way it speaks: an attempt is of one sort, and each line shows which.
 * The answer is the last message of the turn; it counts once the turn has ended well, and is gone if
 * the turn failed.
 */
export const codexTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null },
  translate(state, line) {
    if (line.trim() === '') return { state, events: [] }
    const value = parseJson(line)
    if (isRpc(value)) return translateMessage(state, readMessage(value), line)
    const parsed = parseEvent(value)
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
