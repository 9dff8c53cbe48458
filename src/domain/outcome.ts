import { AppError, messageOf } from './errors.ts'
import type { CommitId } from './ids.ts'

/**
 * How an attempt ended badly. A closed vocabulary shared by all agents: what a caller can act on,
 * never the agent's own words (those are the evidence).
 */
export type FailureCode =
  | 'auth'
  | 'usage_limit'
  | 'rate_limited'
  | 'model_unavailable'
  | 'model_error'
  | 'context_overflow'
  | 'permission_denied'
  | 'stalled'
  | 'budget_reached'
  | 'out_of_memory'
  | 'command_failed'
  | 'exit_unknown'
  | 'no_proof'
  | 'agent_crashed'
  | 'terminal_lost'
  | 'agent_missing'
  | 'launch_failed'
  | 'permissions_unavailable'
  | 'worktree_failed'
  | 'setup_failed'
  | 'verify_failed'
  | 'worktree_lost'
  | 'repository_lost'
  | 'session_lost'
  | 'collect_failed'
  | 'max_failures'
  | 'timed_out'
  | 'dependency_failed'
  | 'record_lost'
  | 'internal_error'

/** Why something failed: the code to act on, the agent's or git's own words, and the next step. */
export interface Failure {
  readonly code: FailureCode
  readonly message: string
  readonly hint?: string
}

/** In the words of what was thrown. */
export function failureOf(code: FailureCode, thrown: unknown): Failure {
  const hint = thrown instanceof AppError ? thrown.hint : undefined
  return { code, message: messageOf(thrown), ...(hint === undefined ? {} : { hint }) }
}

/** Tokens and money that one session has used; null is "not known", never 0. */
export interface Usage {
  readonly inputTokens: number | null
  readonly cachedInputTokens: number | null
  readonly outputTokens: number | null
  readonly costUsd: number | null
}

/** What a task brought home: the agent's delta from base to result. */
export interface Result {
  /** The agent's final answer, verbatim; null where it gave none. */
  readonly answer: string | null
  /** The result commit, held by a ref under `refs/holdfast/`; null where nothing could be collected. */
  readonly commit: CommitId | null
  readonly files: number
  readonly insertions: number
  readonly deletions: number
  /** What could not be collected, in words, each with its path. */
  readonly leftOut: readonly string[]
  /** Work in repositories inside of the worktree, which is not in the commit. Absent: none. */
  readonly repositories?: readonly RepositoryResult[]
}

/** What an agent did in a submodule, or in a repository that it made: kept as files of its own. */
export interface RepositoryResult {
  /** Below the worktree. */
  readonly path: string
  /** In the task directory: it has `result.patch`, `result.bundle` or both. */
  readonly directory: string
  readonly files: number
  readonly insertions: number
  readonly deletions: number
  /** Commits that no remote and no repository of the user's has. */
  readonly commits: number
}

/**
 * How one attempt ended, as judged from the agent's own terminal events.
 * `interrupted`: it did not finish its turn, and may be continued, after a pause that grows with
 * each time. `limited`: what its account may use is used up, until a time that may be known.
 */
export type AttemptOutcome =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | {
      readonly kind: 'interrupted'
      readonly failure: Failure
      /** It may not go on before (milliseconds since 1970). Absent: nobody said so. */
      readonly notBefore?: number
    }
  | {
      readonly kind: 'limited'
      readonly failure: Failure
      /** Milliseconds since 1970; null: the agent did not say. */
      readonly resetsAt: number | null
    }

/**
 * What follows a failure. Trying again helps where the cause passes by itself; `park` waits for a
 * reset. One table for all agents, so that a code means the same whoever fails with it.
 */
const consequences: Readonly<Record<FailureCode, 'give_up' | 'resume' | 'park'>> = {
  auth: 'give_up',
  usage_limit: 'park',
  rate_limited: 'resume',
  model_unavailable: 'resume',
  model_error: 'give_up',
  context_overflow: 'give_up',
  permission_denied: 'give_up',
  stalled: 'resume',
  budget_reached: 'park',
  out_of_memory: 'resume',
  command_failed: 'give_up',
  exit_unknown: 'resume',
  no_proof: 'give_up',
  agent_crashed: 'resume',
  terminal_lost: 'give_up',
  agent_missing: 'give_up',
  launch_failed: 'resume',
  permissions_unavailable: 'give_up',
  worktree_failed: 'give_up',
  setup_failed: 'give_up',
  verify_failed: 'give_up',
  worktree_lost: 'give_up',
  repository_lost: 'give_up',
  session_lost: 'resume',
  collect_failed: 'give_up',
  max_failures: 'give_up',
  timed_out: 'give_up',
  dependency_failed: 'give_up',
  record_lost: 'give_up',
  internal_error: 'give_up',
}

/** The outcome that a failure is. `passesAt`: when its cause passes, where somebody has said so. */
export function outcomeOf(failure: Failure, passesAt: number | null = null): AttemptOutcome {
  switch (consequences[failure.code]) {
    case 'give_up':
      return { kind: 'failed', failure }
    case 'resume':
      return passesAt === null
        ? { kind: 'interrupted', failure }
        : { kind: 'interrupted', failure, notBefore: passesAt }
    case 'park':
      return { kind: 'limited', failure, resetsAt: passesAt }
  }
}

/** How the agent process ended, as its wrapper wrote it down; `unknown` when it could not. */
export type AgentExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: number }
  | { readonly kind: 'unknown' }

/** A shell reports death by signal n as 128 + n; 255 at most, so larger numbers are plain codes. */
export function parseShellStatus(status: number): AgentExit {
  return status > 128 && status <= 128 + 64
    ? { kind: 'signalled', signal: status - 128 }
    : { kind: 'exited', code: status }
}

export function describeExit(exit: AgentExit): string {
  switch (exit.kind) {
    case 'exited':
      return `exit code ${exit.code}`
    case 'signalled':
      return `killed by signal ${exit.signal}`
    case 'unknown':
      return 'exit status unknown'
  }
}
