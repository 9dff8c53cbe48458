import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Translator } from '../../ports/agent.ts'
import {
  closeRequests,
  hearAnswer,
  hearLifecycle,
  hearReplay,
  hearRequest,
} from './dialogue/hear.ts'
import { talkOf, withTalk } from './dialogue/state.ts'
import { type ClaudeState, type ClaudeTranslation, INITIAL, NOT_ASKED } from './state.ts'
import { endTool, isRefusal, startTool, summarize } from './tools.ts'
import { countMessage, countResult, usageOf } from './usage.ts'
import {
  parseBlock,
  parseLine,
  textOf,
  type WireAssistant,
  type WireLine,
  type WireResult,
  type WireSystem,
  type WireUser,
} from './wire.ts'

/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000
/** A tool whose end is never told would be kept forever. */
const TOOLS_KEPT = 64
const REFUSALS_KEPT = 64
const WORDS_KEPT = 500

interface Translated {
  readonly state: ClaudeTranslation
  readonly events: readonly AgentEvent[]
}

/**
 * Claude Code's lines in our words. Only a `result` ends a turn. There may be several, for a turn
 * that begins by itself when a command in the background has ended, or with a message: the last one
 * counts, and none while another turn goes on.
 */
export const claudeTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null, own: INITIAL },
  translate(state, text) {
    if (text.trim() === '') return { state, events: [] }
    const parsed = parseLine(text)
    if (!parsed.known) return { state, events: [other(parsed.type, text)] }
    return translateLine(state as ClaudeTranslation, parsed.event, text)
  },
}

function translateLine(state: ClaudeTranslation, line: WireLine, text: string): Translated {
  switch (line.type) {
    case 'system':
      return translateSystem(state, line, text)
    case 'assistant':
      return translateAssistant(state, line, text)
    case 'user':
      return translateUser(state, line, text)
    case 'rate_limit_event': {
      const { status, resetsAt = null } = line.rate_limit_info
      // `allowed_warning` comes before, and says until when the rest has to do.
      const limit = status === 'rejected' ? { resetsAt } : null
      return {
        state: withOwn(state, { limit }),
        events: status === 'allowed' ? [] : [other(`rate_limit:${status}`, text)],
      }
    }
    case 'result':
      return translateResult(state, line)
    case 'control_request':
      return { state: hearRequest(state, line), events: [] }
    case 'control_cancel_request':
      return { state: closeRequests(state, ({ id }) => id === line.request_id), events: [] }
    case 'control_response': {
      const { request_id } = line.response
      return { state: closeRequests(state, ({ id }) => id === request_id), events: [] }
    }
    case 'command_lifecycle':
      return { state: hearLifecycle(state, line), events: [] }
  }
}

function translateSystem(state: ClaudeTranslation, line: WireSystem, text: string): Translated {
  switch (line.subtype) {
    case 'init': {
      const started: AgentEvent = { kind: 'turn_started' }
      const before = state.turn?.ok ? { answer: state.answer } : undefined
      const kept = before === undefined ? state : withOwn(state, { before })
      const next = { ...kept, answer: null, turn: null }
      if (line.session_id === undefined || line.session_id === state.session) {
        return { state: next, events: [started] }
      }
      const session = asSessionId(line.session_id)
      return {
        state: { ...next, session },
        events: [{ kind: 'session_started', session }, started],
      }
    }
    case 'api_retry': {
      const why = [line.error_status, line.error].filter(part => part != null).join(' ')
      const after = Math.round((line.retry_delay_ms ?? 0) / 100) / 10
      const count = `${line.attempt ?? '?'} of ${line.max_retries ?? '?'}`
      const message = `the model did not answer (${why}): asking again in ${after} s, ${count}`
      return { state, events: [{ kind: 'warning_given', message }] }
    }
    case 'permission_denied':
      return refuse(state, line.tool_use_id, line.tool_name ?? 'a tool', line.message ?? '')
    case 'background_tasks_changed':
      return { state: withOwn(state, { background: line.tasks?.length ?? 0 }), events: [] }
    case 'task_notification': {
      // It goes on by itself, with what has ended; and says so only a moment later.
      const goesOn = talkOf(state).isBusy === false && line.status !== 'stopped'
      const next = goesOn ? withTalk(state, { isBusy: true }) : state
      return { state: next, events: [other('system:task_notification', text)] }
    }
    case 'session_state_changed':
      return { state: withTalk(state, { isBusy: line.state !== 'idle' }), events: [] }
    case 'informational': {
      if (line.prompt_submit_outcome?.kind !== 'blocked_by_hook') {
        return { state, events: [other('system:informational', text)] }
      }
      const message = (line.content ?? 'a hook has blocked a prompt').slice(0, WORDS_KEPT)
      return {
        state: withOwn(state, { blocked: message }),
        events: [{ kind: 'warning_given', message }],
      }
    }
    case 'task_started':
    case 'task_progress':
    case 'task_updated':
    case 'thinking_tokens':
      // Of tools that run it is told anyway, and thoughts are counted as they come.
      return { state, events: [] }
    default:
      return { state, events: [other(`system:${line.subtype}`, text)] }
  }
}

function translateAssistant(
  state: ClaudeTranslation,
  line: WireAssistant,
  text: string,
): Translated {
  const { message, error } = line
  const isOwn = line.parent_tool_use_id == null
  const events: AgentEvent[] = []
  let { tools, failure } = state.own
  for (const value of message.content) {
    const part = parseBlock(value)
    if ('other' in part) events.push(other(`assistant:${part.other}`, text))
    else if (part.type === 'thinking') {
      if (part.thinking !== '') events.push({ kind: 'reasoning_ended', text: part.thinking })
    } else if (part.type === 'text') {
      if (error !== undefined) events.push({ kind: 'error_given', message: part.text })
      else if (isOwn) events.push({ kind: 'message_ended', text: part.text })
      else events.push(other('subagent:text', part.text))
    } else if (part.type === 'tool_use') {
      const started = startTool(part.id, part.name, part.input)
      tools = [...tools, started.tool].slice(-TOOLS_KEPT)
      events.push(...started.events)
    }
  }
  if (error !== undefined) failure = { kind: error, status: null, subtype: null, ending: null }
  const counted = countMessage(state.own.counted, message.id, message.usage)
  const usage = counted === state.own.counted ? state.usage : usageOf(counted)
  const heard = isOwn && error === undefined ? hearAnswer(state) : state
  const next = { ...withOwn(heard, { tools, counted, failure }), usage }
  // After a result, whatever is no complaint begins another turn.
  const begins = isOwn && error === undefined && state.turn !== null
  return { state: begins ? { ...next, answer: null, turn: null } : next, events }
}

function translateUser(state: ClaudeTranslation, line: WireUser, text: string): Translated {
  const { content } = line.message
  if (line.isReplay) return { state: hearReplay(state, line.uuid), events: [] }
  if (!Array.isArray(content)) return { state, events: [] }
  let next = state
  const events: AgentEvent[] = []
  for (const value of content) {
    const part = parseBlock(value)
    if ('other' in part) events.push(other(`user:${part.other}`, text))
    if ('other' in part || part.type !== 'tool_result') continue
    const id = part.tool_use_id
    const said = textOf(part.content)
    next = closeRequests(next, ({ call }) => call === id)
    const wasRefused = isRefusal(line, id)
    if (wasRefused) {
      const refused = refuse(next, id, 'a tool', said)
      next = refused.state
      events.push(...refused.events)
    }
    const tool = next.own.tools.find(one => one.id === id)
    if (tool === undefined) continue
    next = withOwn(next, { tools: next.own.tools.filter(one => one !== tool) })
    const ended = endTool(tool, said, part.is_error === true, line.tool_use_result)
    // That it was refused has been said, also of an edit that then did not come about.
    events.push(...ended.filter(({ kind }) => !wasRefused || kind !== 'warning_given'))
  }
  return { state: next, events }
}

function translateResult(state: ClaudeTranslation, line: WireResult): Translated {
  const counted = countResult(state.own.counted, line)
  const usage = usageOf(counted)
  const events: AgentEvent[] = []
  const isAborted = line.terminal_reason?.startsWith('aborted')
  const heard = isAborted ? state : hearAnswer(state)
  let next: ClaudeTranslation = {
    ...withOwn(
      closeRequests(heard, () => true),
      { counted },
    ),
    usage,
  }
  for (const { tool_name, tool_use_id, tool_input } of line.permission_denials ?? []) {
    const action = `${tool_name}: ${summarize(tool_input)}`
    const refused = refuse(next, tool_use_id, action, 'permission denied')
    next = refused.state
    events.push(...refused.events)
  }
  if (usage !== null) events.push({ kind: 'usage_reported', usage })
  const { before, blocked } = state.own
  if (!line.is_error && line.num_turns === 0) {
    // The turn before it stands; without one, nothing was done.
    if (before !== undefined) {
      return {
        state: { ...next, answer: before.answer, turn: { ok: true } },
        events: [...events, { kind: 'turn_ended', ok: true }],
      }
    }
    const message = blocked ?? 'the turn was over before its model was asked'
    const failure = { kind: null, status: null, subtype: NOT_ASKED, ending: null }
    return {
      state: { ...withOwn(next, { failure }), answer: null, turn: { ok: false, message } },
      events: [...events, { kind: 'error_given', message }, { kind: 'turn_ended', ok: false }],
    }
  }
  if (!line.is_error) {
    const answer = line.result ?? null
    return {
      state: { ...withOwn(next, { failure: null, limit: null }), answer, turn: { ok: true } },
      events: [...events, { kind: 'turn_ended', ok: true }],
    }
  }
  const { failure } = state.own
  const errors = (line.errors ?? []).filter(error => !error.startsWith('[ede_diagnostic]'))
  const why = line.terminal_reason ?? line.subtype ?? 'no reason given'
  const message = line.result || errors.join('; ') || `the turn failed: ${why}`
  // The words of a `result` have just come from the assistant, where that has complained.
  if (failure === null || !line.result) events.push({ kind: 'error_given', message })
  const own = {
    failure: {
      kind: failure?.kind ?? null,
      status: line.api_error_status ?? null,
      subtype: line.subtype ?? null,
      ending: line.terminal_reason ?? null,
    },
  }
  return {
    state: { ...withOwn(next, own), answer: null, turn: { ok: false, message } },
    events: [...events, { kind: 'turn_ended', ok: false }],
  }
}

/** Tells once of each call that was refused. */
function refuse(
  state: ClaudeTranslation,
  id: string | undefined,
  action: string,
  why: string,
): Translated {
  const { refused, tools } = state.own
  if (id !== undefined && refused.includes(id)) return { state, events: [] }
  const tool = tools.find(one => one.id === id)
  const known = tool === undefined ? action : `${tool.name}: ${tool.about}`
  const event: AgentEvent = { kind: 'action_refused', action: known, why }
  if (id === undefined) return { state, events: [event] }
  return {
    state: withOwn(state, { refused: [...refused, id].slice(-REFUSALS_KEPT) }),
    events: [event],
  }
}

function withOwn(state: ClaudeTranslation, changes: Partial<ClaudeState>): ClaudeTranslation {
  return { ...state, own: { ...state.own, ...changes } }
}

function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
