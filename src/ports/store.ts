/**
 * The store: the truth, and the way in. In domain verbs; every write is one transaction, and every
 * write of an attempt carries its fence: a stale one is refused (`undefined`, or false).
 * Submissions and transitions are on disk when they return; log lines may lag by a moment, and can
 * be derived again from the raw output.
 */
import type { Activity } from '../domain/activity.ts'
import type { AgentEvent, TaskEvent } from '../domain/agent-events.ts'
import type { GroupId } from '../domain/group.ts'
import type { CommitId, Fence, TaskId, WorktreeId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import type { Failure, Usage } from '../domain/outcome.ts'
import type { PortRange } from '../domain/port-blocks.ts'
import type { RowRemains } from '../domain/restored.ts'
import type { RunningSnapshot, Snapshot } from '../domain/snapshot.ts'
import type {
  Attempt,
  Idempotency,
  Taken,
  Task,
  TaskRequest,
  TaskState,
  TaskStateName,
  WorktreeKind,
} from '../domain/task.ts'
import type { Transition } from '../domain/transitions.ts'
import type { Verification } from '../domain/verify.ts'
import type { Translation } from './agent.ts'
import type { Outbox } from './outbox.ts'
import type { SpareWorktree, WorktreePlan, WorktreeRecord } from './worktrees.ts'

declare const claimed: unique symbol
/** An attempt whose claim this worker holds: only `claimNext` and `claimActive` make one. */
export type ClaimedAttempt = Attempt & { readonly [claimed]: true }

/**
 * Which tasks a claim may choose from: any; those that were interrupted; those that somebody opens at
 * a terminal; or one that is delegated by
 * a task that is under way and has no other of its delegates under way. The last needs no slot: the
 * task that waits for it would else hold the very slot that it waits for.
 */
export type ClaimScope = 'any' | 'interrupted' | 'opened' | 'delegated'

/** How far an attempt's output has been read, what was understood up to there, and in what time. */
export interface Progress {
  /** Bytes of `stdout` that whole lines have been taken from, and how many those were. */
  readonly offset: number
  readonly lines: number
  readonly translation: Translation
  readonly activity: Activity
  /** What this attempt has used, and the task with all that came before. */
  readonly spent: Usage | null
  readonly usage: Usage | null
}

/** The tries that a task has had, oldest first, and what was recorded of the newest one's output. */
export interface Tries {
  readonly attempts: readonly AttemptRecord[]
  /** As `findProgress` gives it. */
  readonly progress: Progress | undefined
}

/** What a worker finds under way: all at once, for there may be hundreds. */
export interface ActiveAttempt {
  readonly task: Task
  readonly attempt: ClaimedAttempt
  readonly tries: Tries
}

export interface TaskFilter {
  readonly states?: readonly TaskStateName[]
  /** Only tasks that ended at or after this time, for ended ones. */
  readonly endedSince?: number
  /** The common git directory. */
  readonly repository?: string
  readonly agent?: string
  /** Only tasks that this one delegated, directly or through others. */
  readonly root?: TaskId
  /** Only tasks that end with their caller. */
  readonly tied?: true
  /** Only tasks of this group. */
  readonly group?: GroupId
  /** Only tasks that follow this one directly. */
  readonly follows?: TaskId
  readonly limit?: number
}

export interface Store extends Outbox {
  /** Nothing can be written where it lies: every verb that would refuses with `store_unwritable`. */
  readonly isReadOnly: boolean
  /**
   * Writes a task; it is durable when this returns. If one was handed in under the same idempotency
   * key before, gives that one and writes nothing. `seen`: how a worktree that is not made for this
   * task alone looked when the task was planned; it is leased to it from now on.
   * `isWhole` is asked in the same moment whether all that belongs to the task is still there.
   * No two tasks that have not ended have one session of an agent.
   * Refuses with `leased`, `delegation_limit`, `idempotency_conflict`, and with `refused_in_state`
   * if it would wait for a task that has ended badly, or is not whole.
   */
  submitTask(request: TaskRequest, seen?: SeenWorktree, isWhole?: () => boolean): Promise<Task>
  /**
   * Writes all tasks of a group down, or none; they are durable when this returns. If one was handed
   * in under the first one's idempotency key before, gives its whole group and writes nothing. Refuses
   * as `submitTask` does.
   */
  submitGroup(
    requests: readonly TaskRequest[],
    isWhole?: (id: TaskId) => boolean,
  ): Promise<readonly Task[]>
  /** By its whole id, or the newest that bears a name; undefined: none does. */
  findGroup(reference: string): Promise<GroupId | undefined>
  /** The task that was handed in under the same key. Refuses with `idempotency_conflict`. */
  findTwin(idempotency: Idempotency): Promise<Task | undefined>
  findTask(id: TaskId): Promise<Task | undefined>
  /** By id, unique prefix of an id, or name (the newest that bears it). At most two are returned. */
  findTasksNamed(reference: string): Promise<readonly (Task | UnreadableTask)[]>
  /** Newest first. A row that is damaged is passed over, and met (`unreadable`). */
  listTasks(filter: TaskFilter): Promise<readonly Task[]>
  /** The rows that were met so far and cannot be read; `findTask` refuses such with `task_unreadable`. */
  unreadable(): readonly UnreadableTask[]
  countTasks(states: readonly TaskStateName[]): Promise<number>

  /**
   * Takes the next task and begins its next attempt: the task is `starting` when this returns. One
   * that was interrupted and whose wait is over (`waitIsOver`) comes first, then the queued ones by
   * priority. `interruptedBy`: how the attempt before it ended.
   */
  claimNext(
    now: number,
    mode: (task: Task) => Attempt['mode'],
    which?: ClaimScope,
  ): Promise<{ task: Task; attempt: ClaimedAttempt; interruptedBy: Failure | null } | undefined>
  /** The attempts under way, for a worker that has just come to hold the worker lock. */
  claimActive(): Promise<readonly ActiveAttempt[]>
  /** When the next wait ends (milliseconds since 1970), if any task waits. */
  nextWake(): Promise<number | undefined>
  /**
   * The task has shown that the limit of its account is over, if it is the one that tries: false if
   * not. All others of the account that wait for it go on, each after a `pause` of its own (ms).
   */
  liftLimit(probe: TaskId, now: number, pause: () => number): Promise<boolean>
  /** Whether it is the one that tries if its account's limit is over. */
  isProbe(task: TaskId): Promise<boolean>
  /** How many interrupted tasks, but those that wait for a reset, go on before a time, or could already. */
  countWaking(before: number): Promise<number>

  /**
   * Applies one event to a task. Undefined: the transition table or the fence refuses it. `ending`:
   * how the attempt ended, for the log; a settle that is done again does not say it twice.
   */
  transition(
    task: TaskId,
    fence: Fence | null,
    event: Transition,
    now: number,
    ending?: string,
  ): Promise<Task | undefined>
  /**
   * Log lines, what they say of the task (its session, its usage), and the offset that they reach
   * to, in one transaction: a line is taken exactly once, also over a crash. False: stale fence.
   */
  recordProgress(
    attempt: ClaimedAttempt,
    progress: Progress,
    events: readonly AgentEvent[],
    now: number,
  ): Promise<boolean>
  /** What was recorded of the attempt so far; undefined if nothing was. */
  findProgress(task: TaskId, fence: Fence): Promise<Progress | undefined>
  /**
   * What `--verify` came to, or that it runs; durable when this returns. With the end of one goes a
   * line for the log and, where the agent is to mend its work, a message; of one attempt it is
   * written down once, and nothing of it is said twice. False: stale fence.
   */
  recordVerification(
    attempt: ClaimedAttempt,
    verification: Verification,
    told: { readonly note: string; readonly message: string | null } | null,
    now: number,
  ): Promise<boolean>
  /** A line of ours in the task's log. */
  recordNote(
    task: TaskId,
    fence: Fence | null,
    kind: 'attempt_started' | 'task_changed',
    text: string,
    now: number,
  ): Promise<void>
  /** That the result was taken home, with a line in the log; null: that it was given back. */
  recordTaken(task: TaskId, taken: Taken | null, note: string, now: number): Promise<void>
  listEvents(task: TaskId, after: number, limit: number): Promise<readonly TaskEvent[]>
  lastEvents(task: TaskId, count: number): Promise<readonly TaskEvent[]>
  listAttempts(task: TaskId): Promise<readonly AttemptRecord[]>
  /** What each attempt that began at or after a time has used, oldest first. */
  listUsage(since: number): Promise<readonly UsageRecord[]>
  /**
   * What somebody answers to the question that a task's agent asks now; durable when this returns.
   * False: it does not ask that (any more), or has been answered.
   */
  recordAnswer(
    task: TaskId,
    question: { readonly fence: Fence; readonly id: string },
    answer: { readonly text: string; readonly note: string },
    now: number,
  ): Promise<boolean>
  /** All answers to questions of an attempt, by the question's id. */
  listAnswers(task: TaskId, fence: Fence): Promise<ReadonlyMap<string, string>>

  /**
   * What somebody says to a task; durable when this returns. A success is refused from then on until
   * its agent has heard it. Undefined: the task has ended, is about to, or is not there. Under a key
   * it is said once, also to a task that has ended since. Refuses with `idempotency_conflict`.
   */
  recordMessage(
    task: TaskId,
    text: string,
    now: number,
    idempotency?: Idempotency | null,
  ): Promise<Message | undefined>
  /** What was said under a key, and to whom. Refuses with `idempotency_conflict`. */
  findSaid(
    idempotency: Idempotency,
  ): Promise<{ readonly task: TaskId; readonly message: Message } | undefined>
  /** All that was said to a task, oldest first. */
  listMessages(task: TaskId): Promise<readonly Message[]>
  /**
   * What an attempt is to be launched with: all that was not heard. Undefined: a stale fence. What
   * is said from now on is said to its agent while that is at work, or at its end.
   */
  launchWithMessages(attempt: ClaimedAttempt): Promise<readonly Message[] | undefined>
  /** The agent's output shows that it has these. False: a stale fence. */
  recordHeard(attempt: ClaimedAttempt, numbers: readonly number[], now: number): Promise<boolean>

  /** Records a worktree before it is made, leased to the task; it counts once `git` is told. */
  leaseWorktree(attempt: ClaimedAttempt, worktree: WorktreePlan): Promise<boolean>
  /**
   * The first port of the block that a worktree has: chosen now, where it has none yet, and no other
   * worktree's. It keeps it until it is forgotten; one that is brought back gets the same, if that is
   * free. Null: all are taken, or there is no such worktree.
   */
  claimPorts(worktree: WorktreeId, range: PortRange): Promise<number | null>
  /** Completes the record once the worktree stands. */
  recordWorktree(attempt: ClaimedAttempt, worktree: WorktreeRecord): Promise<boolean>
  /** The newest task that leased it; null: none has. */
  newestTaskIn(worktree: WorktreeId): Promise<TaskId | null>
  findWorktree(id: WorktreeId): Promise<StoredWorktree | undefined>
  /** All whose rows are sound. */
  listWorktrees(): Promise<readonly StoredWorktree[]>
  /**
   * Runs `work` only if there is no such task, and lets none be submitted meanwhile. False: there is.
   * `work` may not use the store.
   */
  unlessKnown(task: TaskId, work: () => Promise<void>): Promise<boolean>
  /** Forgets a worktree that is gone from the disk. Refuses (false) while it is leased. */
  forgetWorktree(id: WorktreeId): Promise<boolean>

  /**
   * From now on nobody may lease it, until it is forgotten or `giveUpRetirement` was called. False:
   * somebody has, or there is no such worktree.
   */
  beginRetirement(id: WorktreeId): Promise<boolean>
  giveUpRetirement(id: WorktreeId): Promise<void>
  /** A pinned worktree is retired only by name. False: there is no such worktree. */
  pinWorktree(id: WorktreeId, pinned: boolean): Promise<boolean>
  /** Writes down where a worktree will stand; leased to nobody, and to be made. */
  planWorktree(plan: WorktreePlan): Promise<void>
  /** Completes the record of one that was planned. False: a task has leased it meanwhile. */
  recordPlanned(worktree: WorktreeRecord): Promise<boolean>
  /** From `at` on it is listed only with all others; null: like any other again. */
  archiveTask(task: TaskId, at: number | null): Promise<void>
  /** The same for all tasks that worked in a worktree. */
  archiveTasksIn(worktree: WorktreeId, at: number | null): Promise<void>
  /** Writes down what is left of a worktree, before anything of it is taken away. */
  recordSnapshot(snapshot: Snapshot): Promise<void>
  /** Of a worktree, the newest first. Refuses with `task_unreadable` where one is damaged. */
  listSnapshots(worktree: WorktreeId): Promise<readonly Snapshot[]>
  forgetSnapshot(worktree: WorktreeId, number: number): Promise<void>
  /** The newest snapshot of each worktree that is not there, and that no task has worked in. */
  listPutAwayAlone(): Promise<readonly Snapshot[]>
  /**
   * The newest snapshot of a running task, in the place of the one before. It is forgotten when the
   * task ends with a result. False: a newer attempt exists, or the task does not run any more.
   */
  recordRunningSnapshot(attempt: ClaimedAttempt, snapshot: RunningSnapshot): Promise<boolean>

  /** Writes down where a spare worktree will stand, before it is made. */
  planSpare(order: SpareOrder): Promise<void>
  /** From now on a task may take it over; null: not any more. False: one has. */
  recordSpare(id: WorktreeId, spare: SpareWorktree | null): Promise<boolean>
  /**
   * Takes a spare of the order's repository and umask for its worktree, one on that commit if there
   * is one. Nobody else gets it, whatever becomes of it; nor does that worktree get a second one.
   */
  takeSpare(order: SpareOrder, commit: CommitId): Promise<StoredSpare | undefined>
  listSpares(): Promise<readonly StoredSpare[]>
  forgetSpare(id: WorktreeId): Promise<void>

  /** The common git directories of all tasks. */
  listRepositories(): Promise<readonly string[]>
  /** Frees a worktree whose task has ended, or is not known; false: it is not so (any more). */
  releaseLease(worktree: WorktreeId): Promise<boolean>
  /** The task that claims a worktree. */
  findLease(worktree: WorktreeId): Promise<TaskId | undefined>
  /** Clears what is damaged and not vital: log lines say so, and the rest is not known any more. */
  clearDamage(): Promise<void>
  /** Writes down a worktree that was found on the disk, or its damaged row anew; leased to nobody. */
  registerWorktree(worktree: WorktreeRecord, kind: WorktreeKind): Promise<void>
  /** What the plain columns of a task's row say; undefined: there is no row. */
  findRemains(task: TaskId): Promise<RowRemains | undefined>
  /** Writes down a task that was found in its directory, or its damaged row anew. */
  restoreTask(task: RestoredTask): Promise<void>

  /** A number that differs whenever another process has written; for cheap waiting. */
  changeCounter(): number
  /** What is wrong with the store's structure, and with single rows. Reads everything. */
  checkIntegrity(): Promise<readonly Damage[]>
  /**
   * Ends the store for good, if it knows exactly so many tasks, and all of them have ended: no
   * process writes to it any more, nor opens it (`store_ended`). False: somebody handed one in.
   */
  end(tasks: number): Promise<boolean>
  close(): Promise<void>
}

/** A task whose row is damaged: what its plain columns still say. */
export interface UnreadableTask {
  readonly id: TaskId
  readonly name: string
  readonly agent: string
  readonly state: string
  /** The common git directory. */
  readonly repository: string
  readonly createdAt: number
  readonly problem: string
}

export interface Damage {
  /** `structure`: SQLite's own; else that of one row, named by its task, worktree or snapshot. */
  readonly where:
    | { readonly kind: 'structure' }
    | { readonly kind: 'task'; readonly id: TaskId }
    | { readonly kind: 'worktree'; readonly place: WorktreePlan }
    | { readonly kind: 'snapshot'; readonly worktree: WorktreeId; readonly number: number }
  /** Whether more hangs on it than what can be derived again, or is only shown. */
  readonly isVital: boolean
  readonly text: string
}

export interface RestoredTask {
  readonly request: TaskRequest
  readonly state: TaskState
  /** Of which there is a run directory. */
  readonly attempts: readonly Attempt[]
  /** The worktree that it works in, as it stands; null: there is none. */
  readonly worktree: WorktreeRecord | null
}

/**
 * A worktree that others use as well, as it was when a task was planned for it: if anybody used it
 * since, what the task would start from is out of date.
 */
export interface SeenWorktree {
  /** Null: it is yet to be made. */
  readonly record: WorktreeRecord | null
  readonly newestTask: TaskId | null
}

export interface StoredWorktree extends WorktreePlan {
  /** Null until the worktree stands. */
  readonly record: WorktreeRecord | null
  /** The task that claims it; null: it may be retired. */
  readonly leasedTo: TaskId | null
  /** It is retired only by name. */
  readonly pinned: boolean
  /** It is being taken away, or was when whoever did it died. */
  readonly retiring: boolean
  /** When it was made, or last brought back; milliseconds since 1970. */
  readonly madeAt: number
  /** The first of its ports; null: it has none. */
  readonly port: number | null
}

/** A spare worktree, or the one that it is to become. */
export interface SpareOrder extends Omit<WorktreePlan, 'kind'> {
  /** With which its files are written; null: as the worker would. */
  readonly umask: number | null
}

export interface StoredSpare extends SpareOrder {
  /** Null: it does not stand yet, or was given up. */
  readonly spare: SpareWorktree | null
  /** The worktree that it is to become. */
  readonly claimedBy: WorktreeId | null
}

export interface AttemptRecord {
  readonly attempt: Attempt
  readonly endedAt: number | null
  /** How it ended, in words. */
  readonly ending: string | null
  /** How long it was at work (`Activity`). */
  readonly activeMs: number
  /** Who did it; null: an older Holdfast did not write it down. */
  readonly agent: string | null
  /** What it used. */
  readonly usage: Usage | null
  /** What its agent said of usage last: of the whole session, where it counts so. */
  readonly sessionUsage: Usage | null
}

export interface UsageRecord {
  readonly task: TaskId
  readonly agent: string
  /** The common git directory. */
  readonly repository: string
  readonly startedAt: number
  readonly usage: Usage | null
}
