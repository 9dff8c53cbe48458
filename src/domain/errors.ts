/**
 * Refusals: the user, or the state of things, said no. The codes are a closed list; the exit code
 * that belongs to each stands in `surfaces/cli/exit-codes.ts`. An attempt that ends badly is not a
 * refusal but an outcome (`outcome.ts`); anything else that is thrown is a bug.
 */
export type RefusalCode =
  | 'bad_usage'
  | 'bad_prompt'
  | 'bad_configuration'
  | 'no_such_task'
  | 'no_such_session'
  | 'ambiguous_task'
  | 'not_finished'
  | 'already_ended'
  | 'refused_in_state'
  | 'not_a_repository'
  | 'no_commit'
  | 'unmerged_index'
  | 'changes_too_large'
  | 'capture_failed'
  | 'no_space'
  | 'leased'
  | 'delegation_limit'
  | 'idempotency_conflict'
  | 'work_left'
  | 'no_result'
  | 'nothing_to_review'
  | 'no_snapshot'
  | 'push_failed'
  | 'conflict'
  | 'in_the_way'
  | 'changed_since'
  | 'submodule_changed'
  | 'operation_in_progress'
  | 'unrelated_repository'
  | 'not_applied'
  | 'agent_missing'
  | 'agent_too_old'
  | 'agent_logged_out'
  | 'tmux_missing'
  | 'permissions_unavailable'
  | 'store_unreadable'
  | 'store_unwritable'
  | 'store_locked'
  | 'task_unreadable'
  | 'store_newer'
  | 'store_ended'
  | 'launch_failed'
  | 'unsupported_platform'

/** A refusal: what was wrong in one line, and what to do about it. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: RefusalCode
  readonly hint: string | undefined

  constructor(
    code: RefusalCode,
    message: string,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}

/** The message of anything that was thrown, for a log line or a wrapped error. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
