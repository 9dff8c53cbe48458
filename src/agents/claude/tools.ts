/** Claude Code's tools, as far as our vocabulary has words for what they do. */
import type { AgentEvent } from '../../domain/agent-events.ts'
import type { OpenTool } from './state.ts'
import { isCleanEnd, parseToolInput, type WireUser } from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** How much of what a tool is given is kept until its end, and goes into the log. */
const INPUT_KEPT = 1_000
const WHY_KEPT = 500

const SHELL = 'Bash'
const EDITORS = ['Edit', 'MultiEdit', 'NotebookEdit', 'Write']

/** A command as it begins; any other tool in short, for it has no word of its own. */
export function startTool(
  id: string,
  name: string,
  input: unknown,
): { readonly tool: OpenTool; readonly events: readonly AgentEvent[] } {
  const tool = { id, name, about: summarize(input) }
  if (name === SHELL) return { tool, events: [{ kind: 'command_started', command: tool.about }] }
  if (EDITORS.includes(name)) return { tool, events: [] }
  return { tool, events: [{ kind: 'other', type: `tool:${name}`, line: tool.about }] }
}

/** The command, the path, or the input itself; in short. */
export function summarize(input: unknown): string {
  const { command, file_path, notebook_path } = parseToolInput(input)
  const words = command ?? file_path ?? notebook_path ?? JSON.stringify(input) ?? ''
  return words.slice(0, INPUT_KEPT)
}

/** `said`: its result, as the model gets it. */
export function endTool(
  { name, about }: OpenTool,
  said: string,
  failed: boolean,
  result: unknown,
): readonly AgentEvent[] {
  if (name === SHELL) {
    const exitCode = failed ? parseExitCode(said) : isCleanEnd(result) ? 0 : null
    const output = said.slice(-OUTPUT_KEPT)
    return [{ kind: 'command_ended', command: about, exitCode, output }]
  }
  if (!EDITORS.includes(name)) return []
  if (!failed) return [{ kind: 'files_changed', paths: [about] }]
  const why = said.replace(/<\/?tool_use_error>/g, '').slice(0, WHY_KEPT)
  return [{ kind: 'warning_given', message: `Claude Code could not change ${about}: ${why}` }]
}

/** From `Exit code 3`, which stands in front of the output; null: it was not run, or not to its end. */
function parseExitCode(said: string): number | null {
  const [, code] = said.match(/^Exit code (\d+)\b/) ?? []
  return code === undefined ? null : Number(code)
}

/** By a rule, or because nobody is there to be asked. */
export function isRefusal({ tool_result_meta }: WireUser, id: string): boolean {
  return (tool_result_meta ?? []).some(
    meta => meta.id === id && meta.permission_decision?.decision === 'reject',
  )
}
