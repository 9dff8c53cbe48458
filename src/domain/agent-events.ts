import type { SessionId } from './ids.ts'
import type { Usage } from './outcome.ts'

/**
 * What an agent did, in one vocabulary for all agents (`noun_phase`). Derived from its raw output
 * by the agent's `translate.ts`; a kind that it does not know becomes `other`, never a crash.
 */
export type AgentEvent =
  | { readonly kind: 'session_started'; readonly session: SessionId }
  | { readonly kind: 'turn_started' }
  | { readonly kind: 'message_ended'; readonly text: string }
  | { readonly kind: 'reasoning_ended'; readonly text: string }
  | { readonly kind: 'command_started'; readonly command: string }
  | {
      readonly kind: 'command_ended'
      readonly command: string
      /** null: the agent did not say. */
      readonly exitCode: number | null
      /** The last part of what it printed. */
      readonly output: string
    }
  | { readonly kind: 'files_changed'; readonly paths: readonly string[] }
  /** Somebody's rule, or nobody to ask, kept it from doing something. */
  | { readonly kind: 'action_refused'; readonly action: string; readonly why: string }
  | { readonly kind: 'usage_reported'; readonly usage: Usage }
  | { readonly kind: 'warning_given'; readonly message: string }
  | { readonly kind: 'error_given'; readonly message: string }
  | { readonly kind: 'turn_ended'; readonly ok: boolean }
  | { readonly kind: 'output_given'; readonly text: string }
  | { readonly kind: 'other'; readonly type: string; readonly line: string }

/** What Holdfast itself did to a task; stands in the same log. */
export type TaskNote =
  | { readonly kind: 'task_queued'; readonly text: string }
  | { readonly kind: 'attempt_started'; readonly text: string }
  | { readonly kind: 'attempt_ended'; readonly text: string }
  | { readonly kind: 'task_changed'; readonly text: string }
  /** What somebody said to it, whole. */
  | { readonly kind: 'message_sent'; readonly text: string }
  /** Which of these its agent has. */
  | { readonly kind: 'message_heard'; readonly text: string }

export type TaskEventBody = AgentEvent | TaskNote

/** One line of a task's log. `seq` counts from 1 within the task and has no gaps. */
export interface TaskEvent {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** The attempt that it belongs to; null for what concerns the task alone. */
  readonly fence: number | null
  readonly body: TaskEventBody
}
