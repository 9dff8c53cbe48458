/**
 * What `import { connect } from 'holdfast'` gives. Types only: the declarations that are shipped are
 * drawn from this file as it stands.
 */
import type { RefusalCode } from '../../domain/errors.ts'
import type {
  AcknowledgedView,
  ApplyView,
  DiffView,
  EventView,
  GroupView,
  InboxView,
  ResultView,
  SentView,
  StatusView,
  TasksView,
  TaskView,
} from '../view.ts'

export interface ConnectOptions {
  /** Where you stand: whose repository and configuration count. Default: the working directory. */
  readonly directory?: string
  /** What agents get, and what names the state directory. Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Told what is worth knowing and no answer, a line at a time. Default: nobody is. */
  readonly tell?: (line: string) => void
}

/** A prompt for an agent, or `command`, a program and its arguments: one of the two. */
export interface SubmitRequest {
  readonly prompt?: string | Uint8Array
  /** Run without a shell; it succeeds by exit 0. */
  readonly command?: readonly string[]
  /** Who does it. Default: as configured, else the first agent that is ready. */
  readonly agent?: string
  /** Of a command: run it again if it was killed. */
  readonly retryOnCrash?: boolean
  readonly model?: string
  readonly effort?: string
  /** Default: as configured, else `workspace`. */
  readonly permissions?: 'read-only' | 'workspace' | 'full'
  /** Where you stand for this one. */
  readonly directory?: string
  /** Default: made from the first words of the prompt. */
  readonly name?: string
  /** The commit to start from, without uncommitted changes. */
  readonly base?: string
  /** Which uncommitted changes come along. Default: all; none with `base`. */
  readonly changes?: 'all' | 'tracked' | 'none'
  /** Work in your very directory, not in a worktree. */
  readonly inPlace?: boolean
  /** The name of a worktree that stays; made if new. */
  readonly worktree?: string
  /** Tasks, or all of a group, that must have succeeded before it starts. */
  readonly after?: readonly string[]
  /** From -100 to 100; of queued tasks, larger goes first. */
  readonly priority?: number
  /** How long its agents may be at work in all. */
  readonly timeoutMs?: number
  /** How long it may be silent and idle until it is interrupted. */
  readonly stallMs?: number
  /** Give up after so many failures in a row. */
  readonly maxFailures?: number
  /** Stop when it has used so much: `5usd`, `2Mtok`. */
  readonly budget?: string
  /** How much memory its processes may use together: `4G`, or `none`. Default: as configured. */
  readonly memory?: string
  /** End it when this process has ended. Default: it outlives you. */
  readonly withCaller?: boolean
  /** Agents that go on, one after the other, where an account is used up. */
  readonly fallback?: readonly string[]
  /** The JSON Schema that the final answer is to fit. */
  readonly outputSchema?: Readonly<Record<string, unknown>>
  /** Let the agent ask before it edits or runs anything, where it can be talked to. */
  readonly asks?: boolean
  /** Who is told what becomes of it, as `run --notify` names them. */
  readonly notify?: readonly string[]
  /** Handed in twice under one key, it is one task. */
  readonly idempotencyKey?: string
  /**
   * What looks at its work when it is done, without a shell: a program and its arguments, or these in
   * one text as `run --verify` takes it. Where it fails, the agent has one more turn. Default: what the
   * repository names; false: nothing.
   */
  readonly verify?: string | readonly string[] | false
  /** How long one run of that may take. Default: 30 min. */
  readonly verifyTimeoutMs?: number
}

/** One request for several agents, or for several tries: the tasks of a group. */
export interface SubmitGroupRequest extends SubmitRequest {
  /** Instead of `agent`: each of them does it. */
  readonly agents?: readonly string[]
  /** How many tries each of them gets. Default: one. */
  readonly bestOf?: number
}

export interface SubmittedGroup {
  readonly group: GroupView
  /** False: it was handed in before, under the same key. */
  readonly isNew: boolean
}

export interface Submitted {
  readonly task: TaskView
  /** False: it was handed in before, under the same key. */
  readonly isNew: boolean
}

export interface StatusOptions {
  /** Every task; else what is under way, and the newest that have ended. */
  readonly all?: boolean
  /** Only what has not ended. */
  readonly active?: boolean
  readonly agent?: string
  /** Only what they asked for: `KIND` or `KIND:ID`. */
  readonly caller?: string
}

export interface SendOptions {
  /** Sent twice under one key, it is said once. */
  readonly idempotencyKey?: string
}

export interface Abortable {
  /** Aborted, the call rejects with its reason. It ends no task. */
  readonly signal?: AbortSignal
}

export interface WaitOptions extends Abortable {
  /** Default: as long as it takes. */
  readonly timeoutMs?: number
  /** Until one of them has ended, or asks; else until all have. */
  readonly any?: boolean
}

export interface Waited extends TasksView {
  /** Whether time was up before. */
  readonly timedOut: boolean
}

export interface EventsOptions extends Abortable {
  /** The sequence number of the last event that you have. Default: from the beginning. */
  readonly after?: number
}

export interface ApplyOptions extends Abortable {
  /** A directory of the checkout. Default: yours, or else the one it was asked in. */
  readonly to?: string
  /** `check` only says what would happen; `conflicts` writes them too, with markers. */
  readonly mode?: 'check' | 'clean' | 'conflicts'
  /** Take it back: the files as they were, to the byte. */
  readonly undo?: boolean
}

export interface CancelOptions extends Abortable {
  /** Also the tasks that these have delegated. */
  readonly tree?: boolean
}

/**
 * A way in to the store of one user. Nothing depends on it: tasks go on whether or not it is closed,
 * or its process killed. A task is named by its id, a unique prefix of it, or its name. What is
 * refused rejects with an `AppError`.
 */
export interface Connection extends AsyncDisposable {
  /** Durable when it returns. */
  submit(request: SubmitRequest): Promise<Submitted>
  /** All of its tasks or none, on one base. Its name means all of them in `wait` and `cancel`. */
  submitGroup(request: SubmitGroupRequest): Promise<SubmittedGroup>
  /** A group as it stands, by its name or its whole id. */
  group(name: string): Promise<GroupView>
  status(options?: StatusOptions): Promise<StatusView>
  task(name: string): Promise<TaskView>
  /** Until they have ended, or ask something. Takes note of their ends. */
  wait(names: string | readonly string[], options?: WaitOptions): Promise<Waited>
  /** To the end of the task. Cut off, begin again `after` the last `seq` that you have. */
  events(name: string, options?: EventsOptions): AsyncIterableIterator<EventView>
  /** The answer and what speaks for it; takes note of the end. Refused with `not_finished` before. */
  result(name: string): Promise<ResultView>
  /** While it runs, what it has changed so far. */
  diff(name: string): Promise<DiffView>
  apply(name: string, options?: ApplyOptions): Promise<ApplyView>
  /**
   * Says more to it, in the same session: at work, its agent hears it; ended, a task that follows goes
   * on in the same worktree. Durable when it returns.
   */
  send(name: string, text: string | Uint8Array, options?: SendOptions): Promise<SentView>
  /** `words`: the number, id or label of an option; or, where there are none, anything. */
  answer(name: string, words: string, options?: { readonly question?: string }): Promise<TaskView>
  /** Ends them, with every process that they started; their work so far is kept. */
  cancel(names: string | readonly string[], options?: CancelOptions): Promise<Waited>
  inbox(options?: { readonly mine?: boolean }): Promise<InboxView>
  /** Takes note of these: tasks, or ids of deliveries. */
  acknowledge(names: readonly string[]): Promise<AcknowledgedView>
  close(): Promise<void>
}

/** What was wrong, in one line, and what to do about it. */
export interface Refusal extends Error {
  readonly code: RefusalCode
  readonly hint: string | undefined
}
