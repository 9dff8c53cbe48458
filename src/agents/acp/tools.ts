/** Tool calls as the agent tells of them, piece by piece, in our words. */
import type { AgentEvent } from '../../domain/agent-events.ts'
import type { Call } from './state.ts'
import type { WireToolCall } from './wire.ts'

/** How much of a command's output goes into the log; the whole is in the raw output. */
const OUTPUT_KEPT = 4_000
/** Calls are stored at every look. */
const TITLE_KEPT = 1_000
const PATHS_KEPT = 50

const NEW: Call = {
  title: '',
  kind: 'other',
  command: null,
  paths: [],
  output: '',
  exitCode: null,
  isTold: false,
}

/** What is known of a call after one more message about it. */
export function mergeCall(known: Call = NEW, wire: WireToolCall): Call {
  const command = commandOf(wire)
  const said = outputOf(wire)
  const delta = wire._meta?.terminal_output_delta?.data
  const paths = pathsOf(wire)
  return {
    ...known,
    title: (wire.title ?? known.title).slice(0, TITLE_KEPT),
    kind: wire.kind ?? known.kind,
    command: command?.slice(0, TITLE_KEPT) ?? known.command,
    paths: paths.length > 0 ? paths : known.paths,
    output: (delta === undefined ? (said ?? known.output) : known.output + delta).slice(
      -OUTPUT_KEPT,
    ),
    exitCode: exitCodeOf(wire) ?? known.exitCode,
  }
}

/** What the log says of a call that runs: its beginning is worth a line only where the end may be long in coming. */
export function beginCall(
  call: Call,
  status: string | undefined,
): { readonly call: Call; readonly events: readonly AgentEvent[] } {
  const isKnown = call.command !== null || status === 'in_progress'
  if (call.kind !== 'execute' || call.isTold || !isKnown) return { call, events: [] }
  return {
    call: { ...call, isTold: true },
    events: [{ kind: 'command_started', command: call.command ?? call.title }],
  }
}

/** Undefined: it goes on. */
export function endCall(call: Call, status: string | undefined): readonly AgentEvent[] | undefined {
  if (status !== 'completed' && status !== 'failed') return undefined
  const failed: readonly AgentEvent[] =
    status === 'failed' ? [{ kind: 'warning_given', message: `failed: ${call.title}` }] : []
  switch (call.kind) {
    case 'execute': {
      const { exitCode, output } = call
      return [{ kind: 'command_ended', command: call.command ?? call.title, exitCode, output }]
    }
    case 'edit':
    case 'delete':
    case 'move':
      return status === 'failed' ? failed : [{ kind: 'files_changed', paths: call.paths }]
    default:
      return failed
  }
}

/** What a call is about, for a person who decides on it. */
export function describeCall(call: Call): string {
  if (call.command !== null) return call.command
  const paths = call.paths.filter(path => !call.title.includes(path))
  return [call.title, ...paths].filter(part => part !== '').join(' ')
}

function commandOf({ rawInput }: WireToolCall): string | undefined {
  const command = rawInput?.command
  return typeof command === 'object' ? command.join(' ') : command
}

function pathsOf({ locations, content }: WireToolCall): readonly string[] {
  const changed = content.flatMap(({ type, path }) => (type === 'diff' && path ? [path] : []))
  return [...new Set([...changed, ...locations.map(({ path }) => path)])].slice(0, PATHS_KEPT)
}

function outputOf({ rawOutput, content }: WireToolCall): string | undefined {
  if (typeof rawOutput === 'string') return rawOutput
  if (rawOutput?.output !== undefined) return rawOutput.output
  const texts = content.flatMap(part => part.content?.text ?? [])
  return texts.length === 0 ? undefined : texts.join('\n')
}

function exitCodeOf({ rawOutput, _meta }: WireToolCall): number | undefined {
  const said = typeof rawOutput === 'object' ? rawOutput : undefined
  return _meta?.terminal_exit?.exit_code ?? said?.exit_code ?? said?.metadata?.exit
}
