/** The exit codes, in one place; `docs/reference/exit-codes.md` is written from `exitCodes`. */
import type { RefusalCode } from '../../domain/errors.ts'
import type { TaskStateName } from '../../domain/task.ts'

export const exitCodes = {
  done: 0,
  taskFailed: 1,
  badUsage: 2,
  notFinished: 3,
  notFound: 4,
  refused: 5,
  agentUnusable: 6,
  storeTrouble: 7,
  cancelled: 8,
  needsInput: 9,
} as const

/** What each code means, for the reference. */
export const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'done',
  taskFailed:
    'the task failed, `doctor` found an error, or a review found what `--fail-on` does not let pass',
  badUsage:
    'bad usage: an unknown command or flag, an unusable prompt, a mistake in a configuration file',
  notFinished: 'not finished (yet)',
  notFound: 'no such task, or session',
  refused: 'refused in this state: not a repository, no commit, in use, conflict, no space',
  agentUnusable:
    'the agent is missing, too old, not logged in, or cannot be confined as asked; or tmux is missing, for `--tmux`',
  storeTrouble:
    'the store is unreadable, unwritable, locked, or from a newer version; or the state directory is not usable',
  cancelled: 'the task was cancelled',
  needsInput: 'the task needs input',
}

/** A signal n that ends a command gives 128 + n. */
export const signalExitCode = (signal: number) => 128 + signal

const refusals: Record<RefusalCode, number> = {
  bad_usage: exitCodes.badUsage,
  bad_prompt: exitCodes.badUsage,
  bad_configuration: exitCodes.badUsage,
  ambiguous_task: exitCodes.badUsage,
  no_such_task: exitCodes.notFound,
  no_such_session: exitCodes.notFound,
  not_finished: exitCodes.notFinished,
  already_ended: exitCodes.refused,
  refused_in_state: exitCodes.refused,
  not_a_repository: exitCodes.refused,
  no_commit: exitCodes.refused,
  unmerged_index: exitCodes.refused,
  changes_too_large: exitCodes.refused,
  capture_failed: exitCodes.refused,
  no_space: exitCodes.refused,
  leased: exitCodes.refused,
  delegation_limit: exitCodes.refused,
  idempotency_conflict: exitCodes.refused,
  work_left: exitCodes.refused,
  no_result: exitCodes.refused,
  nothing_to_review: exitCodes.refused,
  no_snapshot: exitCodes.refused,
  push_failed: exitCodes.refused,
  conflict: exitCodes.refused,
  in_the_way: exitCodes.refused,
  changed_since: exitCodes.refused,
  submodule_changed: exitCodes.refused,
  operation_in_progress: exitCodes.refused,
  unrelated_repository: exitCodes.refused,
  not_applied: exitCodes.refused,
  launch_failed: exitCodes.refused,
  unsupported_platform: exitCodes.refused,
  permissions_unavailable: exitCodes.agentUnusable,
  tmux_missing: exitCodes.agentUnusable,
  agent_missing: exitCodes.agentUnusable,
  agent_too_old: exitCodes.agentUnusable,
  agent_logged_out: exitCodes.agentUnusable,
  store_unreadable: exitCodes.storeTrouble,
  store_unwritable: exitCodes.storeTrouble,
  store_locked: exitCodes.storeTrouble,
  task_unreadable: exitCodes.storeTrouble,
  store_newer: exitCodes.storeTrouble,
  store_ended: exitCodes.storeTrouble,
}

export const exitCodeOfRefusal = (code: RefusalCode): number => refusals[code]

/** What a command that waited for a task exits with. */
export function exitCodeOfState(state: TaskStateName): number {
  switch (state) {
    case 'succeeded':
      return exitCodes.done
    case 'failed':
      return exitCodes.taskFailed
    case 'cancelled':
      return exitCodes.cancelled
    case 'needs_input':
      return exitCodes.needsInput
    default:
      return exitCodes.notFinished
  }
}

/** From worst to best: what `wait` for several tasks exits with. */
const bySeverity = [
  exitCodes.taskFailed,
  exitCodes.cancelled,
  exitCodes.needsInput,
  exitCodes.notFinished,
]

export function worstExitCode(codes: readonly number[]): number {
  return bySeverity.find(code => codes.includes(code)) ?? exitCodes.done
}
