import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import { addUsage } from '../../domain/usage.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { lookUp } from '../look-up.ts'
import { type Memory, memoryOf, NOTHING, withTalk } from './state.ts'
import {
  endRun,
  failTurn,
  showWords,
  talkOf,
  translateRequest,
  translateResponse,
} from './translate-talk.ts'
import {
  isUpdate,
  parseLine,
  type WireContent,
  type WireEvent,
  type WireMessage,
  type WireUsage,
} from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000
/** How much of a command is remembered until its end, which does not repeat it. */
const COMMAND_KEPT = 4_000

/** The tools that change files; each names one by its `path`. */
const EDITING_TOOLS = ['edit', 'write']

type Translated = ReturnType<Translator['translate']>
type ToolEvent = Extract<WireEvent, { toolCallId: string }>

/**
 * Pi's events in our words. A turn has ended with `agent_end`, and well if the model's last message
 * ended with `stop`; it goes on where Pi tries again. The answer is the last text of the model. What
 * Pi says only in a dialogue is in `translate-talk.ts`.
 */
export const piTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null },
  translate(state, line) {
    if (isUpdate(line) || line.trim() === '') return { state, events: [] }
    const parsed = parseLine(line)
    return parsed.known
      ? translateEvent(state, parsed.event, line)
      : { state, events: [other(parsed.type, line)] }
  },
}

function translateEvent(state: Translation, event: WireEvent, line: string): Translated {
  switch (event.type) {
    case 'session': {
      const session = asSessionId(event.id)
      return { state: { ...state, session }, events: [{ kind: 'session_started', session }] }
    }
    case 'agent_start': {
      const begun = { ...state, answer: null, turn: null, own: NOTHING }
      const talk = talkOf(state)
      const goesOn = { ended: null, waitsFor: null, isAborted: false, isStuck: false }
      return {
        state: talk === undefined ? begun : withTalk(begun, { ...talk, ...goesOn }),
        events: [{ kind: 'turn_started' }],
      }
    }
    case 'message_end': {
      const { role, content = [] } = event.message
      if (role === 'assistant') return translateMessage(state, event.message)
      const words = () => content.map(({ text = '' }) => text).join('')
      return { state: role === 'user' ? showWords(state, words()) : state, events: [] }
    }
    case 'tool_execution_start':
    case 'tool_execution_end':
      return translateTool(state, event, line)
    case 'agent_end': {
      const { trouble, talk } = memoryOf(state)
      if (talk !== undefined) return endRun(state, talk, trouble)
      return trouble === null
        ? {
            state: { ...state, turn: { ok: true } },
            events: [{ kind: 'turn_ended', ok: true }],
          }
        : failTurn(state, trouble)
    }
    case 'auto_retry_start': {
      const seconds = event.delayMs === undefined ? 'a while' : `${event.delayMs / 1_000} s`
      const message = `Pi tries again in ${seconds}: ${event.errorMessage ?? 'it does not say why'}`
      return {
        state: wait({ ...state, turn: null }, 'retry'),
        events: [{ kind: 'warning_given', message }],
      }
    }
    case 'auto_retry_end': {
      const { success, finalError } = event
      if (success !== false || finalError === undefined) return { state, events: [] }
      return talkOf(state) === undefined
        ? { state: { ...state, turn: { ok: false, message: finalError } }, events: [] }
        : failTurn(state, finalError)
    }
    case 'compaction_start':
      return {
        state: talkOf(state) === undefined ? state : withTalk(state, { waitsFor: 'compaction' }),
        events: [],
      }
    case 'compaction_end':
      return endCompaction(state, event)
    case 'response':
      return translateResponse(state, event)
    case 'extension_ui_request':
      return translateRequest(state, event)
    default:
      return { state, events: [] }
  }
}

/** It goes on by itself. */
function wait(state: Translation, waitsFor: 'retry' | null): Translation {
  return talkOf(state) === undefined ? state : withTalk(state, { ended: null, waitsFor })
}

/** A context that was too long is made shorter, and the turn goes on. */
function endCompaction(
  before: Translation,
  { willRetry, errorMessage }: Extract<WireEvent, { type: 'compaction_end' }>,
): Translated {
  const warnings: AgentEvent[] =
    errorMessage === undefined ? [] : [{ kind: 'warning_given', message: errorMessage }]
  if (willRetry === true) {
    return { state: wait({ ...before, turn: null }, 'retry'), events: warnings }
  }
  const talk = talkOf(before)
  if (talk === undefined) return { state: before, events: warnings }
  const state = withTalk(before, { waitsFor: null })
  const trouble = talk.ended?.trouble ?? null
  if (trouble === null) return { state, events: warnings }
  const failed = failTurn(state, trouble)
  return { state: failed.state, events: [...warnings, ...failed.events] }
}

function translateMessage(state: Translation, message: WireMessage): Translated {
  const content = message.content ?? []
  const text = textOf(content)
  const used = message.usage === undefined ? null : convertUsage(message.usage)
  // An answer that failed has zeros for what is not known.
  const isKnown = used !== null && (used.inputTokens !== 0 || used.outputTokens !== 0)
  const usage = isKnown ? addUsage(state.usage, used) : state.usage
  const thoughts = content.flatMap(({ type, thinking }) =>
    type === 'thinking' && thinking ? [thinking] : [],
  )
  const own = { ...memoryOf(state), trouble: describeTrouble(message) }
  const said = { ...state, answer: text === '' ? state.answer : text, usage, own }
  const isAborted = message.stopReason === 'aborted'
  return {
    state: own.talk === undefined ? said : withTalk(said, { isAborted }),
    events: [
      ...thoughts.map(thought => ({ kind: 'reasoning_ended', text: thought }) as const),
      ...(text === '' ? [] : [{ kind: 'message_ended', text } as const]),
      ...(isKnown && usage !== null ? [{ kind: 'usage_reported', usage } as const] : []),
    ],
  }
}

/** Null: it ended well. A tool's call is no end: a turn that stops there was cut off. */
function describeTrouble({ stopReason, errorMessage }: WireMessage): string | null {
  if (stopReason === 'stop') return null
  if (stopReason === 'length') return 'the model’s answer was cut off: it reached its length limit'
  return errorMessage || `the turn ended with ${stopReason ?? 'no reason'}`
}

function translateTool(state: Translation, event: ToolEvent, line: string): Translated {
  const { calls, ...others } = memoryOf(state)
  const { toolCallId: id, toolName: tool } = event
  if (event.type === 'tool_execution_start') {
    const what = (event.args?.command ?? event.args?.path ?? '').slice(0, COMMAND_KEPT)
    const own: Memory = { calls: { ...calls, [id]: what }, ...others }
    return {
      state: { ...state, own },
      // Its beginning is worth a line only where the end may be long in coming.
      events: tool === 'bash' ? [{ kind: 'command_started', command: what }] : [],
    }
  }
  const what = lookUp(calls, id) ?? ''
  const left: Memory = {
    calls: Object.fromEntries(Object.entries(calls).filter(([one]) => one !== id)),
    ...others,
  }
  const said = textOf(event.result?.content ?? [])
  return {
    state: { ...state, own: left },
    events: [describeTool(tool, what, said, event.isError === true) ?? other(nameOf(event), line)],
  }
}

const nameOf = ({ type, toolName }: ToolEvent) => `${type}:${toolName}`

/** Undefined: nothing that our vocabulary has a word for. */
function describeTool(
  tool: string,
  what: string,
  said: string,
  isError: boolean,
): AgentEvent | undefined {
  if (tool === 'bash') {
    // Pi says an exit code only in words, and only one that is not 0.
    const code = said.match(/Command exited with code (\d+)\s*$/)?.[1]
    const exitCode = code === undefined ? (isError ? null : 0) : Number(code)
    return { kind: 'command_ended', command: what, exitCode, output: said.slice(-OUTPUT_KEPT) }
  }
  if (isError) {
    return {
      kind: 'warning_given',
      message: `${tool} ${what} failed: ${said.slice(0, OUTPUT_KEPT)}`,
    }
  }
  return EDITING_TOOLS.includes(tool) ? { kind: 'files_changed', paths: [what] } : undefined
}

/** As Pi itself prints an answer: each text is a line of its own. */
function textOf(content: readonly WireContent[]): string {
  return content
    .flatMap(({ type, text }) => (type === 'text' && text !== undefined ? [text] : []))
    .join('\n')
}

/** As for other agents, the input includes what came from the cache. */
function convertUsage({ input, output, cacheRead, cacheWrite, cost }: WireUsage): Usage {
  return {
    inputTokens: input === undefined ? null : input + (cacheRead ?? 0) + (cacheWrite ?? 0),
    cachedInputTokens: cacheRead ?? null,
    outputTokens: output ?? null,
    // Where Pi knows no price, it says 0 too.
    costUsd: cost?.total || null,
  }
}

function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
