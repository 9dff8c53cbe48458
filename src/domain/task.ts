import { MAX_FAILURES_IN_ROW } from './backoff.ts'
import type { Budget } from './budget.ts'
import type { CompanionJob } from './companion-job.ts'
import type { Delegation } from './delegation.ts'
import type { Subscription } from './delivery.ts'
import type { GroupId } from './group.ts'
import {
  type CommitId,
  type Fence,
  type SessionId,
  type TaskId,
  type WorktreeId,
  worktreeIdOf,
} from './ids.ts'
import type { Failure, Result, Usage } from './outcome.ts'
import type { Permissions } from './permissions.ts'
import type { Question } from './question.ts'
import type { ReviewRequest } from './review.ts'
import type { SetUp } from './set-up.ts'
import type { RunningSnapshot, Start } from './snapshot.ts'
import { STALL_MS } from './stall.ts'
import type { Tie } from './tie.ts'
import type { Verification, Verify } from './verify.ts'

/** What was asked: it is written once, at submission, and never changes. */
export interface TaskRequest {
  readonly id: TaskId
  readonly name: string
  /** The agent that it was handed to; who does it now is `Task.agent`. */
  readonly agent: string
  /** Who goes on in the same worktree, one after the other, where an account is used up. */
  readonly fallback: readonly string[]
  /** Whose limits it meets: a name, never a secret. Null: the agent has no account. */
  readonly account: string | null
  readonly model: string | null
  readonly effort: string | null
  readonly permissions: Permissions
  /** Its agent asks before it edits or runs anything. */
  readonly asks: boolean
  /** The JSON Schema that its final answer is to fit, as JSON; null: it answers as it likes. */
  readonly outputSchema: string | null
  /** It is a review, and of what; null: it is none. */
  readonly review: ReviewRequest | null
  /** For the agent `command`: the program and its arguments. Empty for all others. */
  readonly argv: readonly string[]
  /** For the agent `command`: run it again after a crash. */
  readonly retryOnCrash: boolean
  readonly repo: RepositoryPlace
  readonly base: Base
  /** Null: its files are those of its base. */
  readonly start: Start | null
  readonly caller: Caller
  /** Who is told of it, besides the inbox of whoever asked. */
  readonly notify: readonly Subscription[]
  /** Where its agent works. */
  readonly workplace: Workplace
  /** Null: its worktree needs none. */
  readonly setUp: SetUp | null
  /**
   * The caller's umask: with it the agent runs, and git writes on the task's behalf. Null: an older
   * Holdfast did not ask for it.
   */
  readonly umask: number | null
  /** Of two queued tasks the one with the larger number goes first. */
  readonly priority: number
  /** Tasks that must have succeeded before this one starts. */
  readonly after: readonly TaskId[]
  /** How long its agents may be at work in all, in milliseconds; null: no limit. */
  readonly timeoutMs: number | null
  /** How long its agent may be silent and idle until it counts as stalled, in milliseconds. */
  readonly stallMs: number
  /** Recovering stops after so many failures in a row. */
  readonly maxFailures: number
  /** Null: it may use whatever it takes. It may have been raised since: `Task.budget`. */
  readonly budget: Budget | null
  /** Handed in twice under the same key, it is one task; null: each time is a new one. */
  readonly idempotency: Idempotency | null
  /** The task whose session and worktree it goes on with. */
  readonly follows: TaskId | null
  /** The session that it goes on with; null: a new one. */
  readonly session: SessionId | null
  /** What that had used when it was handed in, where no task of ours has counted it; null: not known. */
  readonly sessionUsage: Usage | null
  /** Null: its agent works by itself. */
  readonly opened: Opened | null
  /** Its prompt is more than its session knows from the task that it follows. */
  readonly ownPrompt: boolean
  /** Null: no task delegated it. */
  readonly delegation: Delegation | null
  /** What the processes of an attempt may use together; null: no limit. */
  readonly memoryBytes: number | null
  /** What it ends with; null: it outlives whoever asked. */
  readonly tie: Tie | null
  /** What names the tasks that were made together to be compared; null: it was made alone. */
  readonly group: GroupId | null
  /** Its agent is given its prompt alone, and not talked to while it works, even where it could be. */
  readonly oneShot: boolean
  /** What looks at its work once its agent is done; null: nothing does. */
  readonly verify: Verify | null
  readonly createdAt: number
}

/** What a request says where nothing in particular is asked for. */
export function plainRequest(id: TaskId) {
  return {
    workplace: { kind: 'managed', id: worktreeIdOf(id), path: null },
    start: null,
    setUp: null,
    umask: null,
    priority: 0,
    after: [],
    timeoutMs: null,
    stallMs: STALL_MS,
    maxFailures: MAX_FAILURES_IN_ROW,
    budget: null,
    fallback: [],
    notify: [],
    account: null,
    asks: false,
    outputSchema: null,
    review: null,
    idempotency: null,
    follows: null,
    session: null,
    sessionUsage: null,
    opened: null,
    ownPrompt: false,
    delegation: null,
    memoryBytes: null,
    tie: null,
    group: null,
    oneShot: true,
    verify: null,
  } as const satisfies Partial<TaskRequest>
}

/** What a person drives at a terminal; nothing is known of it but that it runs, and how it ended. */
export type Opened =
  | { readonly by: 'agent' }
  /** `argv`: an editor with its arguments, the program by its absolute path. */
  | { readonly by: 'editor'; readonly argv: readonly [string, ...string[]] }

/** Whoever sits at a terminal waits for nobody: it needs no slot, and is above all that can be asked for. */
export const OPENED_PRIORITY = 1_000

/** What a task cannot ask for that a person drives (`beforeOpened`). */
export const OPENED_REQUEST = {
  account: null,
  asks: false,
  outputSchema: null,
  argv: [],
  retryOnCrash: false,
  fallback: [],
  notify: [],
  budget: null,
  timeoutMs: null,
  memoryBytes: null,
  verify: null,
  after: [],
  priority: OPENED_PRIORITY,
  idempotency: null,
  delegation: null,
  tie: null,
  start: null,
} as const

/** The same as it was asked of a task before: whoever goes on after a person is held to that again. */
export function beforeOpened(request: TaskRequest): Pick<TaskRequest, keyof typeof OPENED_REQUEST> {
  const names = Object.keys(OPENED_REQUEST) as (keyof typeof OPENED_REQUEST)[]
  const asked = Object.fromEntries(names.map(name => [name, request[name]]))
  return asked as Pick<TaskRequest, keyof typeof OPENED_REQUEST>
}

/** The worktree that a task leases. */
export interface Workplace {
  readonly kind: WorktreeKind
  /** A managed one bears the id of the task that it was made for. */
  readonly id: WorktreeId
  /** Absolute; null: where managed worktrees stand, under its id. */
  readonly path: string | null
}

/**
 * `managed`: ours, for one task and those that follow it. `permanent`: ours, for one task after the
 * other. `borrowed`: the user's own checkout, used in place.
 */
export type WorktreeKind = 'managed' | 'permanent' | 'borrowed'

export interface Idempotency {
  readonly key: string
  /** What was asked, as a hash: the same key for something else is a mistake. */
  readonly fingerprint: string
}

/** Where the task came from. All paths are absolute and real. */
export interface RepositoryPlace {
  /** The top of the checkout that the caller stood in; it may be a linked worktree that goes away. */
  readonly root: string
  /** The common git directory: what the repository is. */
  readonly commonDir: string
  /** Where the caller stood below `root`, with `/` between; empty at the top. */
  readonly subdirectory: string
}

/** What a task starts from. */
export interface Base {
  /** The commit that the caller stood on. */
  readonly commit: CommitId
  /** The caller's uncommitted changes as a synthetic commit on top; null where there were none. */
  readonly changes: BaseChanges | null
  /** The submodules that the caller had populated, each with a base of its own. Absent: none. */
  readonly submodules?: readonly SubmoduleBase[]
}

export interface SubmoduleBase {
  /** Below the checkout that it is part of, with one character per byte. */
  readonly path: string
  /** Where its repository lies, below the `modules` of the one that it is part of. */
  readonly name: string
  readonly base: Base
}

export interface BaseChanges {
  /** A commit whose tree is the caller's working tree, without ignored files. */
  readonly snapshot: CommitId
  /** A commit whose tree is the caller's index; null where nothing was staged. */
  readonly staged: CommitId | null
  /** A commit with what trees cannot say of the caller's checkout: its traits; null: they say all. */
  readonly traits: CommitId | null
  readonly modified: number
  readonly untracked: number
  readonly deleted: number
  /** What was not carried over, in words, each with its path. */
  readonly leftOut: readonly string[]
}

/** The commit whose tree is the caller's working tree: what results are compared with. */
export function baseTreeCommit(base: Base): CommitId {
  return base.changes?.snapshot ?? base.commit
}

/** `mcp`: a client of our MCP server. */
export const callerKinds = ['terminal', 'claude', 'mcp', 'task', 'program'] as const

/** Who asked: a label to find and to tell, never an owner whose end kills. */
export interface Caller {
  readonly kind: (typeof callerKinds)[number]
  /** The caller session, the delegating task's id, or the terminal; null where there is none. */
  readonly id: string | null
  /** Of a caller session: its subagent. Absent, or null: it is not known to be one. */
  readonly subagent?: string | null
  /** The login session of a terminal. Absent, or null: not known. */
  readonly login?: string | null
  readonly directory: string
  /** In the words of the Codex plugin's command line, if it was asked there. Absent: it was not. */
  readonly companion?: CompanionJob
}

export interface Backoff {
  readonly reason: 'backoff'
  readonly until: number
  readonly failure: Failure
}

/** What its account may use is used up; one task of the account tries first, after the reset. */
export interface Parked {
  readonly reason: 'usage_limit'
  readonly until: number
  readonly failure: Failure
  readonly account: string
}

/** Its own budget is used up: only a larger one ends this wait. */
export interface OverBudget {
  readonly reason: 'budget'
  readonly failure: Failure
}

/** Its turn is over, and something was said to it that it has not heard: its session goes on at once. */
export interface ToldMore {
  readonly reason: 'message'
  readonly until: number
}

/** Why an attempt was interrupted, and when the next one comes (milliseconds since 1970). */
export type Interruption = Backoff | Parked | OverBudget | ToldMore

/** Why a task waits. */
export type Wait = Interruption | { readonly reason: 'dependency'; readonly on: readonly TaskId[] }

/** When a wait is over by itself; null: never. */
export function endOfWait(wait: Wait): number | null {
  return 'until' in wait ? wait.until : null
}

/**
 * The state of a task; each carries only the facts that are true in it. How one leads to another
 * stands in `transitions.ts`.
 */
export type TaskState =
  | { readonly name: 'queued' }
  | { readonly name: 'starting'; readonly fence: Fence }
  | { readonly name: 'running'; readonly fence: Fence }
  | { readonly name: 'needs_input'; readonly fence: Fence; readonly question: Question }
  | { readonly name: 'waiting'; readonly wait: Wait }
  /** `why`: where nobody has asked for it. Absent: somebody has. */
  | { readonly name: 'cancelling'; readonly fence: Fence; readonly why?: string }
  | { readonly name: 'succeeded'; readonly endedAt: number; readonly result: Result }
  | {
      readonly name: 'failed'
      readonly endedAt: number
      readonly failure: Failure
      readonly result: Result | null
    }
  | {
      readonly name: 'cancelled'
      readonly endedAt: number
      readonly result: Result | null
      readonly why?: string
    }

export type TaskStateName = TaskState['name']

export const activeStates = ['starting', 'running', 'needs_input', 'cancelling'] as const
export const endedStates = ['succeeded', 'failed', 'cancelled'] as const

export type EndedState = Extract<TaskState, { name: (typeof endedStates)[number] }>
export type ActiveState = Extract<TaskState, { name: (typeof activeStates)[number] }>

export function hasEnded(state: TaskState): state is EndedState {
  return (endedStates as readonly string[]).includes(state.name)
}

/** Null: it has not ended, or nothing came of it. */
export function resultOf(state: TaskState): Result | null {
  return 'result' in state ? state.result : null
}

/** An attempt is under way: a process may live. */
export function isActive(state: TaskState): state is ActiveState {
  return (activeStates as readonly string[]).includes(state.name)
}

export interface Asked {
  /** Of the question among those of all tasks: agents count theirs from the same number. */
  readonly name: string
  readonly question: Question
}

/** What a task asks; null: nothing. */
export function askedBy({ request, state }: Pick<Task, 'request' | 'state'>): Asked | null {
  if (state.name !== 'needs_input') return null
  const { fence, question } = state
  return { name: `${request.id}.${fence}.${question.id}`, question }
}

export interface WorktreePlace {
  readonly id: WorktreeId
  readonly path: string
  readonly kind: WorktreeKind
  readonly pinned: boolean
  /** The first port of its block; null: it has none. */
  readonly port: number | null
}

/** That the result was taken home: how, when, and to where. */
export type Taken =
  | (TakenPlace & { readonly how: 'applied' | 'branched' })
  | (TakenPlace & {
      readonly how: 'picked'
      /** Where HEAD was, and where it came to. Absent: it had all of it, or an older Holdfast did it. */
      readonly head?: HeadMove
    })
  | HandOff

/** HEAD went from one commit to another. */
export interface HeadMove {
  readonly from: CommitId
  readonly commit: CommitId
  /** The branch that went along; null: HEAD was detached. Absent: an older Holdfast did it. */
  readonly branch?: string | null
}

interface TakenPlace {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The top of the checkout, or the name of the branch. */
  readonly where: string
  /** Which application of the task; null: it was found in place, and nothing was written. */
  readonly number: number | null
}

/** `handed_off`: the checkout has the work. `handed_back`: so has the worktree, with what was done since. */
export type HandOff = TakenPlace & {
  readonly how: 'handed_off' | 'handed_back'
  /** A commit of the checkout as it was then; null: it could not be taken. */
  readonly state: CommitId | null
  /** Whoever goes on with the session does so in the checkout, until it is handed back. */
  readonly withSession: boolean
}

/** A task as the store knows it: what was asked, and how it stands. */
export interface Task {
  readonly request: TaskRequest
  /** Who does it now: the agent that it was handed to, or one that it fell back to. */
  readonly agent: string
  /** How many of `request.fallback` have been turned to. */
  readonly fallbacks: number
  /** Whose limits it meets now. */
  readonly account: string | null
  /** Until when that account is limited; null: it is not known to be. */
  readonly limitedUntil: number | null
  readonly budget: Budget | null
  readonly state: TaskState
  /** When it came into this state. */
  readonly stateSince: number
  /** The number of the newest attempt; 0 before the first. */
  readonly attempts: number
  /** How many attempts in a row ended in a crash; a healthy while sets it back. */
  readonly failuresInRow: number
  /** In how many attempts an agent process ran: a launch may fail, or be cut short. */
  readonly runs: number
  /** See `Activity`. */
  readonly fruitlessMs: number
  readonly session: SessionId | null
  readonly worktree: WorktreePlace | null
  /** The newest of its files, until its result is collected; null: there is none. */
  readonly snapshot: RunningSnapshot | null
  /** When its worktree was put away; milliseconds since 1970. Null: it was not, or is back. */
  readonly putAwayAt: number | null
  /** Of all its attempts. */
  readonly usage: Usage | null
  /** The newest task that goes on with its session and worktree; null: none does. */
  readonly followedBy: TaskId | null
  /** What was said to it after it was handed in. */
  readonly messages: { readonly sent: number; readonly unheard: number }
  readonly startedAt: number | null
  /** Since when it is listed only with all others; milliseconds since 1970. Null: it is not. */
  readonly archivedAt: number | null
  readonly taken: Taken | null
  /** What the newest run of its `--verify` came to; null: there was none yet. */
  readonly verification: Verification | null
}

/** One launch of an agent process for a task. */
export interface Attempt {
  readonly task: TaskId
  readonly fence: Fence
  /** What the agent is told: the whole prompt, or to go on in its session. */
  readonly mode: 'fresh' | 'resume'
  readonly startedAt: number
}
