import * as z from 'zod/mini'
import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import { addUsage } from '../../domain/usage.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
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

/** What a tool call that has not ended was to do; plain text, since the end does not say it. */
const memory = z.object({
  /** By the ids of the calls. */
  calls: z.record(z.string(), z.string()),
  /** How the model's last message ended; null: well. */
  trouble: z.nullable(z.string()),
})
type Memory = z.infer<typeof memory>
const NOTHING: Memory = { calls: {}, trouble: 'the turn ended without a word of the model' }

type Translated = ReturnType<Translator['translate']>
type ToolEvent = Extract<WireEvent, { toolCallId: string }>

/**
 * Pi's events in our words. A turn has ended with `agent_end`, and well if the model's last message
 * ended with `stop`; it goes on where Pi tries again. The answer is the last text of the model.
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
    case 'agent_start':
      return {
        state: { ...state, answer: null, turn: null, own: NOTHING },
        events: [{ kind: 'turn_started' }],
      }
    case 'message_end':
      return event.message.role === 'assistant'
        ? translateMessage(state, event.message)
        : { state, events: [] }
    case 'tool_execution_start':
    case 'tool_execution_end':
      return translateTool(state, event, line)
    case 'agent_end': {
      const { trouble } = memoryOf(state)
      const ended: AgentEvent = { kind: 'turn_ended', ok: trouble === null }
      return trouble === null
        ? { state: { ...state, turn: { ok: true } }, events: [ended] }
        : {
            state: { ...state, answer: null, turn: { ok: false, message: trouble } },
            events: [{ kind: 'error_given', message: trouble }, ended],
          }
    }
    case 'auto_retry_start': {
      const seconds = event.delayMs === undefined ? 'a while' : `${event.delayMs / 1_000} s`
      const message = `Pi tries again in ${seconds}: ${event.errorMessage ?? 'it does not say why'}`
      return { state: { ...state, turn: null }, events: [{ kind: 'warning_given', message }] }
    }
    case 'auto_retry_end': {
      if (event.success !== false || event.finalError === undefined) return { state, events: [] }
      return { state: { ...state, turn: { ok: false, message: event.finalError } }, events: [] }
    }
    case 'compaction_end': {
      const { errorMessage: message } = event
      return {
        // A context that was too long is made shorter, and the turn goes on.
        state: event.willRetry === true ? { ...state, turn: null } : state,
        events: message === undefined ? [] : [{ kind: 'warning_given', message }],
      }
    }
    default:
      return { state, events: [] }
  }
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
  return {
    state: {
      ...state,
      answer: text === '' ? state.answer : text,
      usage,
      own: { ...memoryOf(state), trouble: describeTrouble(message) },
    },
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
  const { calls, trouble } = memoryOf(state)
  const { toolCallId: id, toolName: tool } = event
  if (event.type === 'tool_execution_start') {
    const what = (event.args?.command ?? event.args?.path ?? '').slice(0, COMMAND_KEPT)
    const own: Memory = { calls: { ...calls, [id]: what }, trouble }
    return {
      state: { ...state, own },
      // Its beginning is worth a line only where the end may be long in coming.
      events: tool === 'bash' ? [{ kind: 'command_started', command: what }] : [],
    }
  }
  const what = calls[id] ?? ''
  const left: Memory = {
    calls: Object.fromEntries(Object.entries(calls).filter(([one]) => one !== id)),
    trouble,
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

function memoryOf({ own }: Translation): Memory {
  return memory.safeParse(own).data ?? NOTHING
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
