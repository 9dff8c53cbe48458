import * as z from 'zod/mini'
import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import { addUsage } from '../../domain/usage.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { parseLine, type WireEvent } from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000
/** How much of the reason of a refusal, which may list all of the user's rules. */
const REASON_KEPT = 500

/** The tools that change files; each names one by its `filePath`. */
const EDITING_TOOLS = ['edit', 'write']

/** What OpenCode tells the model of a call that its permissions forbid. */
const REFUSAL = /^The user (?:rejected permission to use|has specified a rule which prevents)/

const memory = z.object({
  /** Which message `answer` is of. */
  message: z.nullable(z.string()),
  /** What was refused last, in this turn. */
  refused: z.nullable(z.string()),
  /** When it said something last, in milliseconds since 1970, by its own clock. */
  saidAt: z.number(),
})
type Memory = z.infer<typeof memory>
const NOTHING: Memory = { message: null, refused: null, saidAt: 0 }

export function memoryOf({ own }: Translation): Memory {
  return memory.safeParse(own).data ?? NOTHING
}

type Translated = ReturnType<Translator['translate']>
type EventOf<Type extends WireEvent['type']> = Extract<WireEvent, { type: Type }>

/**
 * OpenCode's events in our words. Nothing says that a turn has ended: it has, as far as the stream
 * can tell, with a step that ended with `stop`, until another one begins. The answer is all texts
 * of the last message that has any.
 */
export const openCodeTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null },
  translate(state, line) {
    if (line.trim() === '') return { state, events: [] }
    const parsed = parseLine(line)
    if (!parsed.known) return { state, events: [other(parsed.type, line)] }
    const { event } = parsed
    const begun = beginTurn(state, event)
    const translated = translateEvent(begun.state, event, line)
    return { state: translated.state, events: [...begun.events, ...translated.events] }
  },
}

/** There is no event for that either: every event bears the session. */
function beginTurn(state: Translation, { sessionID, timestamp }: WireEvent): Translated {
  const before = memoryOf(state)
  const own: Memory = { ...before, saidAt: timestamp ?? before.saidAt }
  if (state.session !== null) return { state: { ...state, own }, events: [] }
  const session = asSessionId(sessionID)
  return {
    state: { ...state, session, own },
    events: [{ kind: 'session_started', session }, { kind: 'turn_started' }],
  }
}

function translateEvent(state: Translation, event: WireEvent, line: string): Translated {
  switch (event.type) {
    case 'step_start':
      return { state: { ...state, turn: null }, events: [] }
    case 'text':
      return translateText(state, event)
    case 'reasoning':
      return { state, events: [{ kind: 'reasoning_ended', text: event.part.text }] }
    case 'tool_use':
      return translateTool(state, event, line)
    case 'step_finish':
      return translateStep(state, event)
    case 'error': {
      const message = describeError(event)
      return fail(state, message)
    }
  }
}

function translateText(state: Translation, { part }: EventOf<'text'>): Translated {
  const { text } = part
  if (text.trim() === '') return { state, events: [] }
  const own = memoryOf(state)
  const message = part.messageID ?? null
  const isMore = message !== null && message === own.message && state.answer !== null
  return {
    state: {
      ...state,
      answer: isMore ? `${state.answer}\n${text}` : text,
      own: { ...own, message },
    },
    events: [{ kind: 'message_ended', text }],
  }
}

function translateStep(state: Translation, { part }: EventOf<'step_finish'>): Translated {
  const usage = addUsage(state.usage, convertUsage(part))
  const used: Translation = { ...state, usage }
  const reported: AgentEvent = { kind: 'usage_reported', usage }
  switch (part.reason) {
    case 'stop':
      return {
        state: { ...used, turn: { ok: true } },
        events: [reported, { kind: 'turn_ended', ok: true }],
      }
    case 'length':
    case 'content-filter': {
      const failed = fail(used, `the model’s answer was cut off (${part.reason})`)
      return { ...failed, events: [reported, ...failed.events] }
    }
    default:
      return { state: used, events: [reported] }
  }
}

function fail(state: Translation, message: string): Translated {
  return {
    state: { ...state, answer: null, turn: { ok: false, message } },
    events: [
      { kind: 'error_given', message },
      { kind: 'turn_ended', ok: false },
    ],
  }
}

function translateTool(
  state: Translation,
  { part }: EventOf<'tool_use'>,
  line: string,
): Translated {
  const { tool, state: call } = part
  const what = call?.input?.command ?? call?.input?.filePath
  const action = tool === 'bash' && what !== undefined ? what : [tool, what].join(' ').trim()
  const why = call?.status === 'error' ? (call.error ?? 'it does not say why') : undefined
  if (why !== undefined && REFUSAL.test(why)) {
    return {
      state: { ...state, own: { ...memoryOf(state), refused: action } },
      events: [{ kind: 'action_refused', action, why: why.slice(0, REASON_KEPT) }],
    }
  }
  if (tool === 'bash') {
    const command = what ?? ''
    const output = (why ?? call?.output ?? '').slice(-OUTPUT_KEPT)
    const exitCode = call?.metadata?.exit ?? null
    return {
      state,
      events: [
        { kind: 'command_started', command },
        { kind: 'command_ended', command, exitCode, output },
      ],
    }
  }
  if (why !== undefined) {
    return {
      state,
      events: [
        { kind: 'warning_given', message: `${action} failed: ${why.slice(0, OUTPUT_KEPT)}` },
      ],
    }
  }
  return EDITING_TOOLS.includes(tool) && what !== undefined
    ? { state, events: [{ kind: 'files_changed', paths: [what] }] }
    : { state, events: [other(`tool_use:${tool}`, line)] }
}

/** The HTTP status and the provider's words, where it was one; and when to come back. */
function describeError({ error, timestamp }: EventOf<'error'>): string {
  const { message, statusCode, responseHeaders } = error?.data ?? {}
  const words = message || error?.name || 'the turn failed, and OpenCode did not say why'
  const named = statusCode !== undefined ? `${statusCode} ${words}` : nameError(error?.name, words)
  const after = responseHeaders?.['retry-after']
  if (after === undefined || timestamp === undefined) return named
  const wait = Number(after)
  const until = Number.isNaN(wait) ? Date.parse(after) : timestamp + wait * 1_000
  // Nobody comes back after more than three centuries; a date must be one that can be written.
  if (Number.isNaN(until) || Math.abs(until - timestamp) > 1e13) return named
  return `${named} (retry after ${new Date(until).toISOString()})`
}

/** Some names say more than the words after them. */
function nameError(name: string | undefined, words: string): string {
  return name === undefined || name === 'UnknownError' || words.startsWith(name)
    ? words
    : `${name}: ${words}`
}

/** As for other agents, the input includes what came from the cache, the output the reasoning. */
function convertUsage({ tokens, cost }: EventOf<'step_finish'>['part']): Usage {
  const { input, output, reasoning, cache } = tokens ?? {}
  return {
    inputTokens: input === undefined ? null : input + (cache?.read ?? 0) + (cache?.write ?? 0),
    cachedInputTokens: cache?.read ?? null,
    outputTokens: output === undefined ? null : output + (reasoning ?? 0),
    // Where OpenCode knows no price, it says 0 too.
    costUsd: cost || null,
  }
}

function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
