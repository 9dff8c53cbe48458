/**
 * What Codex says over its app-server, in our words. What is said of another thread is a sub-agent's,
 * and of no turn of ours. Pure.
 */
import { asSessionId } from '../../../domain/ids.ts'
import { messageOfKey } from '../../../domain/message.ts'
import type { Usage } from '../../../domain/outcome.ts'
import type { Translation, Translator } from '../../../ports/agent.ts'
import type { RpcError, RpcMessage } from '../../json-rpc.ts'
import { convertCompleted, other } from '../items.ts'
import { openRequest, questionOf } from './requests.ts'
import { INITIALIZE, THREAD, TURN } from './speak.ts'
import {
  type AccountLimit,
  INTERRUPTED,
  NOT_ASKED,
  type OpenRequest,
  type Own,
  ownOf,
  type RateWindow,
  type ServerFailure,
} from './state.ts'
import {
  parseHeard,
  parseNotification,
  parseServerItem,
  parseThread,
  parseTurnId,
  readErrorInfo,
  threadOf,
  type WireNotification,
  type WireServerItem,
  type WireTurnError,
} from './wire.ts'

type Translated = ReturnType<Translator['translate']>
type Of<Method extends WireNotification['method']> = Extract<WireNotification, { method: Method }>

/** Of what Codex asks at once, and edits at once, so many are kept. */
const MOST_OPEN = 64
/** An account has a few. */
const MOST_LIMITS = 16
/** Paths of an edit, as a person reads them. */
const ACTION_KEPT = 1_000
/** What is refused so often is refused for good. */
const MOST_REFUSALS = 3
/** The hooks that can keep what is said from the model, and how a run of one ends that does. */
const HOOKS_BEFORE = ['userPromptSubmit', 'sessionStart']
const KEEPS_BACK = ['blocked', 'stopped']
const UNSHOWN = 'the turn was over before its model was given the prompt'

/** They say nothing of a step of the work, and no failure. */
const SILENT: ReadonlySet<string> = new Set([
  'thread/started',
  'thread/name/updated',
  'thread/environment/connected',
  'account/updated',
  'item/autoApprovalReview/started',
  'hook/started',
  'thread/compacted',
])

export function translateMessage(
  state: Translation,
  message: RpcMessage,
  line: string,
): Translated {
  switch (message.kind) {
    case 'result':
      return translateResult(state, String(message.id), message.result)
    case 'error':
      return translateError(state, String(message.id), message.error)
    case 'request': {
      const own = ownOf(state)
      const asked = openRequest(message, own.edits)
      const requests = [...own.requests.filter(({ name }) => name !== asked.name), asked]
      return {
        state: withRequests(state, requests.slice(-MOST_OPEN)),
        events: asked.kind === 'unsupported' ? [other(message.method, line)] : [],
      }
    }
    case 'notification': {
      if (isOfAnother(state, message.params)) return { state, events: [] }
      const known = parseNotification(message.method, message.params)
      if (known !== undefined) return translateNotification(state, known, line)
      const isSilent = SILENT.has(message.method)
      return { state, events: isSilent ? [] : [other(message.method, line)] }
    }
    case 'malformed':
      return { state, events: [other('malformed', line)] }
  }
}

function isOfAnother({ session }: Translation, params: unknown): boolean {
  const thread = threadOf(params)
  return session !== null && thread !== undefined && thread !== session
}

const withOwn = (state: Translation, change: Partial<Own>): Translation => ({
  ...state,
  own: { ...ownOf(state), ...change },
})

/** Questions follow from the requests. */
function withRequests(state: Translation, requests: readonly OpenRequest[]): Translation {
  const { questions: _, ...rest } = state
  const questions = requests.flatMap(request => questionOf(request) ?? [])
  return { ...withOwn(rest, { requests }), ...(questions.length > 0 && { questions }) }
}

/** What we asked of it bears its key as its id. */
function translateResult(state: Translation, key: string, result: unknown): Translated {
  if (key === INITIALIZE) return { state: withOwn(state, { isGreeted: true }), events: [] }
  if (key === THREAD) {
    const thread = parseThread(result)
    if (thread === undefined) {
      return fail(state, failure('thread', 'Codex began a thread, and did not say which'))
    }
    const session = asSessionId(thread)
    return {
      state: withOwn({ ...state, session }, { isOpened: true }),
      events: [{ kind: 'session_started', session }],
    }
  }
  const turnId = parseTurnId(result)
  if (turnId === undefined) return { state, events: [] }
  if (key === TURN) {
    const isShown = ownOf(state).prompt?.isShown === true
    return { state: withOwn(state, { turnId, prompt: { turn: turnId, isShown } }), events: [] }
  }
  const number = numberOf(key)
  if (number === undefined || state.heard?.includes(number)) return { state, events: [] }
  const { taken, turnId: last } = ownOf(state)
  // The turn that took it was over before Codex said so.
  if (state.turn !== null && turnId === last) return lose(state, [number])
  return { state: withOwn(state, { taken: { ...taken, [number]: turnId } }), events: [] }
}

function translateError(state: Translation, key: string, error: RpcError): Translated {
  const message = error.message ?? 'Codex refused, and did not say why'
  if ([INITIALIZE, THREAD].includes(key)) return fail(state, failure('thread', message))
  if (key === TURN) return fail(state, failure('turn', message))
  const number = numberOf(key)
  // An interrupt of a turn that was just over.
  if (number === undefined) return { state, events: [] }
  const again = refuse(state, [number])
  if ((ownOf(again).refusals[number] ?? 0) >= MOST_REFUSALS) {
    return fail(again, failure('turn', `Codex refused what it was told: ${message}`))
  }
  const told = `message ${number} was refused, and is said again: ${message}`
  return { state: again, events: [{ kind: 'warning_given', message: told }] }
}

/** Of a message, whether it is said for the first time or again (`message:3/1`). */
const numberOf = (key: string) => messageOfKey(key.replace(/\/\d+$/, ''))

function refuse(state: Translation, numbers: readonly number[]): Translation {
  const { refusals } = ownOf(state)
  const more = numbers.map(number => [number, (refusals[number] ?? 0) + 1])
  return withOwn(state, { refusals: { ...refusals, ...Object.fromEntries(more) } })
}

/**
 * Taken by a turn, and not in it at its end: it is said again. What is lost so often is let go of, and
 * counts as heard: a hook of the user's keeps it from the model, and would once more.
 */
function lose(before: Translation, numbers: readonly number[]): Translated {
  const state = refuse(before, numbers)
  const { refusals, keptBack } = ownOf(state)
  const lost = numbers.filter(number => (refusals[number] ?? 0) >= MOST_REFUSALS)
  if (lost.length === 0) return { state, events: [] }
  const why = keptBack === undefined ? 'Codex does not say why' : `a hook kept it back: ${keptBack}`
  return {
    state: { ...state, heard: [...(state.heard ?? []), ...lost] },
    events: lost.map(number => ({
      kind: 'warning_given',
      message: `message ${number} was said ${MOST_REFUSALS} times, and the model was not given it: ${why}`,
    })),
  }
}

function failure(
  at: ServerFailure['at'],
  message: string,
  more: Partial<ServerFailure> = {},
): ServerFailure {
  return { at, message, word: null, status: null, passesAt: null, ...more }
}

function fail(state: Translation, failed: ServerFailure): Translated {
  const { message } = failed
  const ended = { ...state, answer: null, turn: { ok: false, message } } as const
  return {
    state: withOwn(withRequests(ended, []), { failure: failed, edits: {}, hasGoal: false }),
    events: [
      { kind: 'error_given', message },
      { kind: 'turn_ended', ok: false },
    ],
  }
}

function translateNotification(
  state: Translation,
  notification: WireNotification,
  line: string,
): Translated {
  const own = ownOf(state)
  switch (notification.method) {
    case 'turn/started': {
      const turnId = notification.params.turn?.id ?? own.turnId
      const { standing: _, ...others } = own
      const standing = state.turn?.ok === true ? state.answer : null
      const begun = { ...others, turnId, failure: null, ...(standing !== null && { standing }) }
      return {
        state: { ...state, answer: null, turn: null, own: begun },
        events: [{ kind: 'turn_started' }],
      }
    }
    case 'turn/completed':
      return endTurn(state, notification)
    case 'item/started':
    case 'item/completed':
      return translateItem(state, notification, line)
    case 'error':
      return translateTurnError(state, notification)
    case 'thread/tokenUsage/updated': {
      const { total } = notification.params.tokenUsage
      const usage: Usage = {
        inputTokens: total.inputTokens ?? null,
        cachedInputTokens: total.cachedInputTokens ?? null,
        outputTokens: total.outputTokens ?? null,
        costUsd: null, // Codex does not say.
      }
      return { state: { ...state, usage }, events: [] }
    }
    case 'account/rateLimits/updated':
      return { state: withOwn(state, { accountLimits: noteLimit(own, notification) }), events: [] }
    case 'thread/goal/updated': {
      const hasGoal = notification.params.goal.status === 'active'
      return { state: hasGoal === own.hasGoal ? state : withOwn(state, { hasGoal }), events: [] }
    }
    case 'thread/goal/cleared':
      return { state: own.hasGoal ? withOwn(state, { hasGoal: false }) : state, events: [] }
    case 'thread/closed':
      return state.turn === null
        ? fail(state, failure('thread', 'Codex closed the thread before its turn was over'))
        : { state, events: [] }
    case 'hook/completed': {
      const { eventName, status, entries } = notification.params.run
      const keepsBack = HOOKS_BEFORE.includes(eventName) && KEEPS_BACK.includes(status)
      const words = entries.map(({ text }) => text).join('\n')
      const keptBack = (words || `it was ${status} by ${eventName}`).slice(0, ACTION_KEPT)
      return {
        state: keepsBack ? withOwn(state, { keptBack }) : state,
        events: [other(notification.method, line)],
      }
    }
    case 'serverRequest/resolved': {
      const { requestId } = notification.params
      const requests = own.requests.map(one =>
        one.id === requestId ? { ...one, isResolved: true } : one,
      )
      return { state: withRequests(state, requests), events: [] }
    }
    case 'warning':
    case 'guardianWarning':
      return warn(state, notification.params.message)
    case 'configWarning':
    case 'deprecationNotice': {
      const { summary, details } = notification.params
      return warn(state, details ? `${summary}: ${details}` : summary)
    }
  }
}

const warn = (state: Translation, message: string): Translated => ({
  state,
  events: [{ kind: 'warning_given', message }],
})

function noteLimit(
  { accountLimits = [] }: Own,
  { params: { rateLimits } }: Of<'account/rateLimits/updated'>,
): readonly AccountLimit[] {
  const { limitId, primary, secondary } = rateLimits
  // Without a name it is the one that was told of before.
  const id = limitId ?? accountLimits.at(-1)?.id ?? null
  const known = accountLimits.find(one => one.id === id)
  const others = accountLimits.filter(one => one.id !== id).slice(1 - MOST_LIMITS)
  const limit = {
    id,
    // What is missing has not changed.
    primary: primary ? readWindow(primary) : (known?.primary ?? null),
    secondary: secondary ? readWindow(secondary) : (known?.secondary ?? null),
  }
  return [...others, limit]
}

function readWindow(wire: {
  usedPercent: number
  resetsAt?: number | null | undefined
}): RateWindow {
  return { usedPercent: wire.usedPercent, resetsAt: wire.resetsAt ?? null }
}

function endTurn(before: Translation, { params }: Of<'turn/completed'>): Translated {
  const { turn } = params
  const own = ownOf(before)
  if (turn.status !== 'completed') {
    const failed =
      turn.status === 'interrupted'
        ? failure('turn', INTERRUPTED)
        : turn.error
          ? readFailure(turn.error, own)
          : (own.failure ?? failure('turn', 'the turn failed, and Codex did not say why'))
    // It was told with the error that ended it.
    const isTold = own.failure?.message === failed.message
    const { state, events } = fail(before, failed)
    return { state, events: isTold ? events.slice(1) : events }
  }
  if (isPromptKeptBack(before, turn.id)) {
    const { keptBack } = own
    const message = keptBack === undefined ? UNSHOWN : `a hook kept the prompt back: ${keptBack}`
    return fail(before, failure('turn', message, { word: NOT_ASKED }))
  }
  const { usage } = before
  const lost = Object.keys(own.taken).filter(number => own.taken[number] === turn.id)
  // A turn that was given nothing is none.
  const { standing = null, ...others } = own
  const answer = before.answer ?? (lost.length === 0 ? null : standing)
  const ended = withRequests({ ...before, own: others, answer, turn: { ok: true } }, [])
  const { state, events } = lose(
    withOwn(ended, { edits: {}, taken: {}, failure: null }),
    lost.map(Number),
  )
  return {
    state,
    events: [
      ...events,
      ...(usage === null ? [] : [{ kind: 'usage_reported', usage } as const]),
      { kind: 'turn_ended', ok: true },
    ],
  }
}

/**
 * Codex says a prompt back when it has put it where its model reads it, and ends a turn well whose
 * prompt a hook has kept back. A turn that answered was asked, whatever was said back.
 */
function isPromptKeptBack(state: Translation, turn: string | undefined): boolean {
  const { prompt } = ownOf(state)
  if (prompt === undefined || prompt.turn === null || prompt.turn !== turn) return false
  return !prompt.isShown && state.answer === null
}

/** One that it tries again after is no failure; the end of the turn follows any other. */
function translateTurnError(state: Translation, { params }: Of<'error'>): Translated {
  const { error, willRetry } = params
  const failed = readFailure(error, ownOf(state))
  if (willRetry === true) {
    const details = error.additionalDetails
    return warn(state, details ? `${failed.message} (${details})` : failed.message)
  }
  return {
    state: withOwn(state, { failure: failed }),
    events: [{ kind: 'error_given', message: failed.message }],
  }
}

function readFailure(error: WireTurnError, { accountLimits = [] }: Own): ServerFailure {
  const message = error.message ?? 'the turn failed, and Codex did not say why'
  const { word, status } = readErrorInfo(error.codexErrorInfo)
  const passesAt = word === 'usageLimitExceeded' ? resetOf(accountLimits) : null
  return failure('turn', message, { word, status, passesAt })
}

/**
 * When all that is used up of a limit begins anew: of the one that Codex told of last, of those that
 * are. Null: none of them is, or it does not say when.
 */
function resetOf(limits: readonly AccountLimit[]): number | null {
  const usedOf = ({ primary, secondary }: AccountLimit) =>
    [primary, secondary].filter(window => window !== null && window.usedPercent >= 100)
  const used = usedOf(limits.findLast(limit => usedOf(limit).length > 0) ?? NO_LIMIT)
  const resets = used.flatMap(window => window?.resetsAt ?? [])
  return resets.length === 0 ? null : Math.max(...resets) * 1_000
}

const NO_LIMIT: AccountLimit = { id: null, primary: null, secondary: null }

function translateItem(
  state: Translation,
  notification: Of<'item/started'> | Of<'item/completed'>,
  line: string,
): Translated {
  const { item } = notification.params
  if (item.type === 'userMessage') return hear(state, item)
  if (item.type === 'hookPrompt') return { state, events: [] }
  const read = parseServerItem(item)
  if (notification.method === 'item/started') {
    if (read?.type === 'command_execution') {
      return { state, events: [{ kind: 'command_started', command: read.command }] }
    }
    return read?.type === 'file_change'
      ? { state: noteEdit(state, item, read.changes), events: [] }
      : { state, events: [] }
  }
  const unknown = [other(`item/completed:${item.type}`, line)]
  if (read === undefined) return { state, events: unknown }
  // Nothing was thought aloud.
  if (read.type === 'reasoning' && read.text === '') return { state, events: [] }
  const events = convertCompleted(read) ?? unknown
  const ended = endItem(state, item)
  return {
    state: read.type === 'agent_message' ? { ...ended, answer: read.text } : ended,
    // Whoever refused it has said so already, and why.
    events: wasAsked(state, item) ? events.filter(({ kind }) => kind !== 'action_refused') : events,
  }
}

/** A message is heard when Codex has put it where its model reads it. */
function hear(state: Translation, item: WireServerItem): Translated {
  const name = parseHeard(item)
  if (name === undefined || name === TURN) {
    const turn = ownOf(state).prompt?.turn ?? null
    return { state: withOwn(state, { prompt: { turn, isShown: true } }), events: [] }
  }
  const number = messageOfKey(name)
  if (number === undefined || state.heard?.includes(number)) return { state, events: [] }
  const { [number]: _, ...taken } = ownOf(state).taken
  const heard = [...(state.heard ?? []), number]
  return { state: withOwn({ ...state, heard }, { taken }), events: [] }
}

function noteEdit(
  state: Translation,
  { id }: WireServerItem,
  changes: readonly { readonly path: string }[],
): Translation {
  if (!id) return state
  const action = `change ${changes.map(({ path }) => path).join(', ')}`.slice(0, ACTION_KEPT)
  const others = Object.entries(ownOf(state).edits).slice(1 - MOST_OPEN)
  return withOwn(state, { edits: Object.fromEntries([...others, [id, action]]) })
}

const isAbout = (request: OpenRequest, { id }: WireServerItem) =>
  'item' in request && request.item !== null && request.item === id

const wasAsked = (state: Translation, item: WireServerItem) =>
  ownOf(state).requests.some(request => isAbout(request, item))

/** Nobody waits for an answer about what is over. */
function endItem(state: Translation, item: WireServerItem): Translation {
  const { requests, edits } = ownOf(state)
  const { [item.id ?? '']: edit, ...others } = edits
  const next = edit === undefined ? state : withOwn(state, { edits: others })
  return wasAsked(state, item)
    ? withRequests(
        next,
        requests.filter(request => !isAbout(request, item)),
      )
    : next
}
