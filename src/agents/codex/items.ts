/** What Codex tells of the steps of its work, in our words: the same in all of its streams. */
import type { AgentEvent } from '../../domain/agent-events.ts'
import type { Usage } from '../../domain/outcome.ts'
import type { WireItem, WireUsage } from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** How much of a line that we do not understand goes into the log. */
const LINE_KEPT = 4_000

/** Codex does not say why. */
const DECLINED = 'declined by Codex'

/** Undefined: known, but nothing that our vocabulary has a word for. */
export function convertCompleted(item: WireItem): readonly AgentEvent[] | undefined {
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

export function other(type: string, line: string): AgentEvent {
  return { kind: 'other', type, line: line.slice(0, LINE_KEPT) }
}
