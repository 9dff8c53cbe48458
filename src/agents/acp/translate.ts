/**
 * An agent's side of the protocol in our words. The answer is the last message of the turn; what it
 * says before it has answered the request for the session is history, and was told by an earlier
 * attempt. Pure.
 */
import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import { addUsage } from '../../domain/usage.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { parseMessage, type RequestId, type RpcError, type RpcMessage } from '../json-rpc.ts'
import { lookUp } from '../look-up.ts'
import { openRequest, questionOf } from './requests.ts'
import { messageOfId, messageOfMark, type Own, ownOf, REQUESTS, type RequestName } from './state.ts'
import { beginCall, endCall, mergeCall } from './tools.ts'
import {
  parseCancelled,
  parseGreeting,
  parsePromptResult,
  parseSession,
  parseUpdate,
  type WirePromptResult,
  type WireToolCall,
  type WireUpdate,
} from './wire.ts'

/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000
/** A message is stored at every look while it is being said; what is longer is cut. */
const SPEECH_LIMIT = 256 * 1024
const CUT_NOTE = '\n[the rest is only in the raw output]'
/** Of what an agent asks at once, and of the tools that it runs at once, so many are kept. */
const MOST_OPEN = 64

const PROTOCOL = 1

type Translated = ReturnType<Translator['translate']>

/**
 * `ownModes`: the modes of which a session is put into one before its prompt, if it has them all.
 * Then the turn begins with that: Gemini CLI tells the history of a session after it was loaded.
 */
export function makeAcpTranslator(ownModes: readonly string[]): Translator {
  return {
    initial: { session: null, answer: null, usage: null, turn: null },
    translate: (state, line) => translateLine(state, line, ownModes),
  }
}

function translateLine(state: Translation, line: string, ownModes: readonly string[]): Translated {
  if (line.trim() === '') return { state, events: [] }
  const message = parseMessage(line)
  switch (message.kind) {
    case 'result':
    case 'error': {
      const mark = messageOfMark(message.id)
      if (mark !== undefined) return { state: beginNext(state, mark), events: [] }
      const number = messageOfId(message.id)
      if (number !== undefined) return translateNext(state, number, message, ownModes)
      const name = requestNamed(message.id)
      if (name === undefined || state.turn !== null)
        return { state, events: [other('response', line)] }
      const own = { ...ownOf(state), answered: [...new Set([...ownOf(state).answered, name])] }
      const answered = { ...state, own }
      return message.kind === 'result'
        ? translateResult(answered, own, name, message.result, ownModes)
        : translateError(answered, name, message.error)
    }
    case 'request': {
      const own = ownOf(state)
      const request = openRequest(message)
      const requests = [...own.requests.filter(({ name }) => name !== request.name), request]
      const events = request.kind === 'unsupported' ? [other(message.method, line)] : []
      const opened = withOwn(state, { ...own, requests: requests.slice(-MOST_OPEN) })
      return { state: hear(opened), events }
    }
    case 'notification':
      return translateNotification(state, message, line)
    case 'malformed':
      return { state, events: [other('malformed', line)] }
  }
}

/** What comes from now on is of the turn that begins with these messages. */
function beginNext(state: Translation, told: number): Translation {
  if (state.turn?.ok !== true || ownOf(state).told === told) return state
  const own = { ...ownOf(state), calls: {}, speech: null, requests: [], isBroken: false, told }
  return withOwn({ ...state, answer: null, turn: null }, own)
}

/** The end of such a turn. */
function translateNext(
  before: Translation,
  number: number,
  message: Extract<RpcMessage, { kind: 'result' | 'error' }>,
  ownModes: readonly string[],
): Translated {
  const state = beginNext(before, number)
  const own = ownOf(state)
  if (state.turn !== null || own.told !== number) return { state, events: [] }
  if (message.kind === 'error') return translateError(state, 'prompt', message.error)
  return translateResult(hear(state), own, 'prompt', message.result, ownModes)
}

/** The agent has what its turn began with. */
function hear(state: Translation): Translation {
  const { told } = ownOf(state)
  const { heard = [] } = state
  if (told === undefined || state.turn !== null || heard.includes(told)) return state
  // One prompt has all that were unheard, in their order.
  return { ...state, heard: Array.from({ length: told }, (_, i) => i + 1) }
}

function requestNamed(id: RequestId): RequestName | undefined {
  const names = Object.keys(REQUESTS) as RequestName[]
  return names.find(name => REQUESTS[name] === id)
}

/** Questions follow from the requests. */
function withOwn(state: Translation, own: Own): Translation {
  const { questions: _, ...rest } = state
  const questions = own.requests.flatMap(request => questionOf(request) ?? [])
  return { ...rest, own, ...(questions.length > 0 && { questions }) }
}

function translateResult(
  state: Translation,
  own: Own,
  name: RequestName,
  result: unknown,
  ownModes: readonly string[],
): Translated {
  switch (name) {
    case 'initialize': {
      const greeting = parseGreeting(result)
      if (greeting === undefined)
        return fail(state, name, null, 'the agent did not introduce itself')
      if (greeting.protocolVersion !== PROTOCOL) {
        const message = `the agent speaks version ${greeting.protocolVersion} of the Agent Client Protocol, and not ${PROTOCOL}`
        return fail(state, name, null, message)
      }
      const can = greeting.agentCapabilities
      const canLoad = can?.loadSession === true
      const canResume = can?.sessionCapabilities?.resume !== undefined
      const logins = greeting.authMethods.map(({ id }) => id)
      return {
        state: withOwn(state, { ...own, greeting: { canLoad, canResume, logins } }),
        events: [],
      }
    }
    case 'session': {
      const session = parseSession(result)
      // Of a session that goes on, it need not be said which it is: it was, in its history.
      const id = session?.sessionId ?? state.session
      const options = session?.configOptions ?? []
      const modes = session?.modes?.availableModes.map(mode => mode.id)
      const about = options.flatMap(({ id, category }) =>
        category ? [[category, id] as const] : [],
      )
      const opened = {
        modes:
          modes ??
          options.find(({ category }) => category === 'mode')?.options.map(({ value }) => value) ??
          [],
        options: Object.fromEntries(about.toReversed()),
      }
      const begun = withOwn(
        { ...state, session: id ? asSessionId(id) : null },
        { ...own, speech: null, opened, isBegun: !isPutInto(ownModes, opened.modes) },
      )
      const events: AgentEvent[] =
        begun.session === null ? [] : [{ kind: 'session_started', session: begun.session }]
      return { state: begun, events }
    }
    case 'prompt': {
      const ended = parsePromptResult(result)
      return ended === undefined
        ? fail(state, name, null, 'the agent ended its turn without saying how')
        : endTurn(state, own, ended)
    }
    case 'mode':
    case 'neededMode':
      return { state: withOwn(state, { ...own, isBegun: true }), events: [] }
    case 'authenticate':
    case 'model':
    case 'effort':
      return { state, events: [] }
  }
}

function isPutInto(ownModes: readonly string[], modes: readonly string[]): boolean {
  return ownModes.length > 0 && ownModes.every(mode => modes.includes(mode))
}

function translateError(state: Translation, name: RequestName, error: RpcError): Translated {
  const message = wordsOf(error)
  if (name === 'mode') {
    return {
      state: withOwn(state, { ...ownOf(state), isBegun: true }),
      events: [{ kind: 'warning_given', message: `no session mode was set: ${message}` }],
    }
  }
  return fail(state, name, error.code ?? null, message)
}

/** All that an error says: agents put what matters into any of its parts. */
function wordsOf({ code, message, data }: RpcError): string {
  const more = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  const number = code === undefined ? '' : ` (${code})`
  const words = `${message ?? 'the agent refused, and did not say why'}${number}`
  return more === '' || more === 'null' || more === '{}'
    ? words
    : `${words}: ${more.slice(0, LINE_KEPT)}`
}

function fail(
  state: Translation,
  at: RequestName,
  code: number | null,
  message: string,
): Translated {
  const told = tellSpeech(state)
  const own = { ...ownOf(told.state), requests: [], failure: { at, code } }
  return {
    state: withOwn({ ...told.state, answer: null, turn: { ok: false, message } }, own),
    events: [...told.events, { kind: 'error_given', message }, { kind: 'turn_ended', ok: false }],
  }
}

const STOPPED: Readonly<Record<string, string>> = {
  max_tokens: 'the model stopped in the middle: it had said as much as it may at once',
  max_turn_requests:
    'the agent stopped in the middle: it had asked the model as often as it may in a turn',
  refusal: 'the model refused to go on',
  cancelled: 'the turn was cancelled',
}

function endTurn(before: Translation, own: Own, result: WirePromptResult): Translated {
  const used = usageOf(result, own.costUsd)
  const usage = used && addTurn(own.told === undefined ? null : before.usage, used)
  const told = tellSpeech({ ...before, usage: usage ?? before.usage })
  const reported: AgentEvent[] = usage === null ? [] : [{ kind: 'usage_reported', usage }]
  const events = [...told.events, ...reported]
  const { stopReason } = result
  if (stopReason === 'end_turn' && !own.isBroken) {
    return {
      state: withOwn({ ...told.state, turn: { ok: true } }, { ...ownOf(told.state), requests: [] }),
      events: [...events, { kind: 'turn_ended', ok: true }],
    }
  }
  const message =
    stopReason === 'end_turn'
      ? (told.state.answer ?? 'the turn failed, and the agent did not say why')
      : (lookUp(STOPPED, stopReason) ??
        `the turn ended, and the agent says of it only: ${stopReason}`)
  const failed = fail(told.state, 'prompt', null, message)
  return { state: failed.state, events: [...events, ...failed.events] }
}

/** Tokens are counted by turns, money by the session. */
function addTurn(before: Usage | null, used: Usage): Usage {
  return { ...addUsage(before, used), costUsd: used.costUsd ?? before?.costUsd ?? null }
}

/** Null where nothing is known. Tokens that were read from a cache, or put there, are input too. */
function usageOf({ usage, _meta }: WirePromptResult, costUsd: number | null): Usage | null {
  const count = _meta?.quota?.token_count
  const input = usage?.inputTokens
  if (input === undefined && count?.input_tokens === undefined && costUsd === null) return null
  return {
    inputTokens:
      input === undefined
        ? (count?.input_tokens ?? null)
        : input + (usage?.cachedReadTokens ?? 0) + (usage?.cachedWriteTokens ?? 0),
    cachedInputTokens: usage?.cachedReadTokens ?? null,
    outputTokens: usage?.outputTokens ?? count?.output_tokens ?? null,
    costUsd,
  }
}

function translateNotification(
  state: Translation,
  { method, params }: { readonly method: string; readonly params: unknown },
  line: string,
): Translated {
  const own = ownOf(state)
  if (method === '$/cancel_request') {
    const id = parseCancelled(params)
    return {
      state: withOwn(state, { ...own, requests: own.requests.filter(one => one.id !== id) }),
      events: [],
    }
  }
  if (method !== 'session/update') return { state, events: [other(method, line)] }
  const { session, kind, update } = parseUpdate(params)
  // Of a sub-agent; and what comes after the end is of no turn of ours.
  if (state.session !== null && session !== undefined && session !== state.session) {
    return { state, events: [] }
  }
  if (update === undefined) return { state, events: [other(`session/update:${kind}`, line)] }
  if (!own.isBegun) {
    // History. It may be the only place where the session is named.
    const known = state.session ?? (session === undefined ? null : asSessionId(session))
    return { state: known === state.session ? state : { ...state, session: known }, events: [] }
  }
  return state.turn === null ? translateUpdate(state, own, update) : { state, events: [] }
}

/** What an agent says of a turn only when it is at it. */
const OF_A_TURN: readonly WireUpdate['sessionUpdate'][] = [
  'agent_message_chunk',
  'agent_thought_chunk',
  'tool_call',
  'tool_call_update',
]

function translateUpdate(before: Translation, own: Own, update: WireUpdate): Translated {
  const state = OF_A_TURN.includes(update.sessionUpdate) ? hear(before) : before
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
    case 'agent_thought_chunk': {
      const of = update.sessionUpdate === 'agent_message_chunk' ? 'message' : 'thought'
      return addSpeech(state, { of, id: update.messageId ?? null, text: update.content.text ?? '' })
    }
    case 'user_message_chunk':
      return tellSpeech(state)
    case 'tool_call':
    case 'tool_call_update':
      return translateCall(state, update)
    case 'usage_update': {
      const { cost } = update
      const isKnown = cost !== undefined && cost !== null && cost.currency === 'USD'
      return {
        state: isKnown ? withOwn(state, { ...own, costUsd: cost.amount }) : state,
        events: [],
      }
    }
    case 'session_info_update': {
      const isBroken = update._meta?.codex?.threadStatus?.type === 'systemError'
      return { state: isBroken ? withOwn(state, { ...own, isBroken }) : state, events: [] }
    }
    default:
      return { state, events: [] }
  }
}

type Speech = NonNullable<Own['speech']>

function addSpeech(state: Translation, added: Speech): Translated {
  const { speech } = ownOf(state)
  const goesOn = speech !== null && speech.of === added.of && speech.id === added.id
  // Only by its length: an agent may say megabytes in small pieces, and each would be compared whole.
  if (goesOn && isCut(speech)) return { state, events: [] }
  const told = goesOn ? { state, events: [] } : tellSpeech(state)
  if (!goesOn && added.text === '') return told
  const text = goesOn ? speech.text + added.text : added.text
  const kept =
    text.length < SPEECH_LIMIT
      ? text
      : `${text.slice(0, SPEECH_LIMIT - CUT_NOTE.length)}${CUT_NOTE}`
  const next = { ...added, text: kept }
  return { state: withOwn(told.state, { ...ownOf(told.state), speech: next }), events: told.events }
}

const isCut = ({ text }: Speech) => text.length >= SPEECH_LIMIT

/** What it was saying is complete. */
function tellSpeech(state: Translation): Translated {
  const own = ownOf(state)
  if (own.speech === null) return { state, events: [] }
  const { of, text } = own.speech
  const silent = withOwn(state, { ...own, speech: null })
  return of === 'message'
    ? { state: { ...silent, answer: text }, events: [{ kind: 'message_ended', text }] }
    : { state: silent, events: [{ kind: 'reasoning_ended', text }] }
}

function translateCall(before: Translation, wire: WireToolCall): Translated {
  const { state, events } = tellSpeech(before)
  const own = ownOf(state)
  const id = wire.toolCallId
  const known = lookUp(own.calls, id)
  const { [id]: _, ...others } = own.calls
  const merged = mergeCall(known, wire)
  const { call, events: begun } = beginCall(merged, wire.status)
  const ended = endCall(call, wire.status)
  const open = Object.entries(others).slice(1 - MOST_OPEN)
  const next: Own = {
    ...own,
    calls: Object.fromEntries(ended === undefined ? [...open, [id, call]] : open),
    // Nobody waits for an answer about what is over.
    requests: own.requests.filter(
      one => ended === undefined || one.kind !== 'permission' || one.call !== id,
    ),
  }
  return { state: withOwn(state, next), events: [...events, ...begun, ...(ended ?? [])] }
}

function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
