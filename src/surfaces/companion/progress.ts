/** What a job does, in single lines, and how far that is. */
import type { TaskEvent, TaskEventBody } from '../../domain/agent-events.ts'
import type { CompanionJob } from '../../domain/companion-job.ts'
import { plainText } from '../../domain/plain-text.ts'
import type { TaskStateName } from '../../domain/task.ts'
import { shorten } from './shorten.ts'

/** Null: nothing that anybody waits for. */
export function describeProgress(body: TaskEventBody): string | null {
  const line = lineOf(body)
  return line === null ? null : shorten(plainText(line))
}

function lineOf(body: TaskEventBody): string | null {
  switch (body.kind) {
    case 'session_started':
      return `Thread ready (${body.session}).`
    case 'turn_started':
      return 'Turn started.'
    case 'turn_ended':
      return body.ok ? 'Turn completed.' : 'Turn failed.'
    case 'command_started':
      return `Running command: ${body.command}`
    case 'command_ended': {
      const how = body.exitCode === null ? 'ended' : `exit ${body.exitCode}`
      return `Command completed: ${body.command} (${how})`
    }
    case 'files_changed':
      return `File changes completed: ${body.paths.join(', ')}`
    case 'message_ended':
      return `Assistant message: ${body.text}`
    case 'action_refused':
      return `Refused: ${body.action}`
    case 'warning_given':
      return `Warning: ${body.message}`
    case 'error_given':
      return `Codex error: ${body.message}`
    case 'attempt_started':
    case 'attempt_ended':
      return body.text
    case 'task_changed':
      // The name of a state alone says no more than the status does.
      return /^\w+$/.test(body.text) ? null : body.text
    default:
      return null
  }
}

/** By its state, else by the last thing that it did. */
export function describePhase({
  state,
  kind,
  events,
}: {
  readonly state: TaskStateName
  readonly kind: CompanionJob['kind']
  readonly events: readonly TaskEvent[]
}): string {
  const settled = PHASES[state]
  if (settled !== undefined) return settled
  const underway = kind === 'task' ? 'running' : 'reviewing'
  for (const { body } of [...events].reverse()) {
    const phase = phaseOf(body, underway)
    if (phase !== null) return phase
  }
  return 'starting'
}

const PHASES: Partial<Record<TaskStateName, string>> = {
  queued: 'queued',
  starting: 'starting',
  waiting: 'waiting',
  cancelling: 'cancelling',
  succeeded: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
}

/** Commands by which people check what was done. */
const CHECKS =
  /\b(?:tests?|lint|build|type-?check|check|verify|pytest|jest|vitest|tsc|eslint|ruff)\b/i

function phaseOf(body: TaskEventBody, underway: string): string | null {
  switch (body.kind) {
    case 'attempt_started':
    case 'session_started':
    case 'turn_started':
      return 'starting'
    case 'command_started':
      if (CHECKS.test(body.command)) return 'verifying'
      return underway === 'running' ? 'investigating' : underway
    case 'files_changed':
      return 'editing'
    case 'command_ended':
    case 'message_ended':
    case 'reasoning_ended':
      return underway
    case 'turn_ended':
      return 'finalizing'
    default:
      return null
  }
}
