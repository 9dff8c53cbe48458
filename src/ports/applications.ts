/**
 * Applying a result: merging a task's delta into the working files of a checkout of the user's, and
 * taking that back. Working files are all that is written: never the index, HEAD, a branch or the
 * stash, but by `pick`, which is asked for just that. Every application is written down before the
 * first file is touched, so that one that was killed half-way can be taken back to the byte.
 */
import type { CommitId, TaskId } from '../domain/ids.ts'
import type { Base, HeadMove } from '../domain/task.ts'
import type { Checkout } from './worktrees.ts'

/** `check`: write nothing. `clean`: only if nothing conflicts. `conflicts`: with their markers. */
export type ApplyMode = 'check' | 'clean' | 'conflicts'

export interface ApplyOrder {
  readonly task: TaskId
  readonly base: Base
  readonly result: CommitId
  /** The tasks that this one follows, oldest first: it started from their base, and went on. */
  readonly followed: readonly { readonly task: TaskId; readonly result: CommitId }[]
  /** Not the task's result: what the user has made of it, on its way back. Absent: false. */
  readonly isHandBack?: boolean
  /** The checkout whose working files are written. */
  readonly target: Checkout
  readonly mode: ApplyMode
  /** Asked once, right before the first file is written: the user may have thought better of it. */
  readonly isStopped: () => boolean
}

/** What happens to one working file. `path`: as text; bytes that are no UTF-8 are replaced. */
export interface FileChange {
  readonly path: string
  readonly change: 'added' | 'modified' | 'deleted'
}

export interface Conflict {
  readonly path: string
  readonly why: string
}

export type ApplyOutcome =
  /** All that the result changes is in the working files already. */
  | { readonly kind: 'in_place' }
  /** Of `check`: it can be applied, and these files would be written. */
  | { readonly kind: 'would_apply'; readonly files: readonly FileChange[] }
  /** Of `check` and `clean`: nothing was written. */
  | { readonly kind: 'conflicting'; readonly conflicts: readonly Conflict[] }
  | {
      readonly kind: 'applied'
      readonly files: readonly FileChange[]
      /** Those that now stand in the files, with markers; empty unless asked for. */
      readonly conflicts: readonly Conflict[]
    }

/** The result as commits on top of HEAD: the agent's own, where there are any that stand alone. */
export interface PickOrder {
  readonly task: TaskId
  readonly base: Base
  readonly result: CommitId
  /** Of the commit, where the agent has not committed itself. */
  readonly message: string
  /** Of the task's own repository. */
  readonly target: Checkout
  readonly isStopped: () => boolean
}

export type PickOutcome =
  /** HEAD has all that the result changes. */
  | { readonly kind: 'in_place' }
  | {
      readonly kind: 'picked'
      readonly commit: CommitId
      /** How many were made. */
      readonly commits: number
      /** Where HEAD was before. */
      readonly from: CommitId
      /** The one that moved along; null: HEAD is detached. */
      readonly branch: string | null
      readonly files: readonly FileChange[]
      /** Whether something else is staged: `git reset` would unstage it. */
      readonly hasStaged: boolean
    }

/** A pick, backwards. */
export interface UnpickOrder {
  readonly task: TaskId
  readonly base: Base
  /** Where HEAD was before, and where it came to and still is. */
  readonly head: HeadMove
  readonly target: Checkout
  readonly isStopped: () => boolean
}

/** One time that a result was applied to a checkout, and not taken back. */
export interface Application {
  readonly task: TaskId
  /** From 1 within its task: the newest is taken back first. */
  readonly number: number
  /** The top of the checkout. */
  readonly root: string
  /** When it was begun, in milliseconds since 1970. */
  readonly at: number
  /** What the user had made of the result, applied to the worktree; else the result. */
  readonly isHandBack: boolean
  /** It moves HEAD along. Only one that was killed half-way is ever listed. */
  readonly isPick: boolean
  /** Of a pick, or of the taking back of one: from where HEAD goes where. Null: it stays. */
  readonly head: HeadMove | null
  /** False: it was killed half-way, or the taking back of it was. */
  readonly isWhole: boolean
}

export interface Applications {
  /** Runs `work` while nobody else of ours writes to the checkout at `root`. */
  withTarget<T>(root: string, work: () => Promise<T>): Promise<T>
  /**
   * An application, or the taking back of one, that was killed half-way in this checkout. Refuses
   * with `operation_in_progress` where it is not ours to mend. Inside `withTarget`.
   */
  findInterrupted(target: Checkout): Application | undefined
  /**
   * Merges base → result into the target's working files as they are, staged, unstaged and
   * untracked changes kept. All or nothing: whatever is refused, or fails half-way, leaves the
   * files as they were. Inside `withTarget`, with nothing interrupted. Refuses with
   * `unmerged_index`, `operation_in_progress`, `in_the_way`, `submodule_changed`, `changed_since`
   * (a file was edited meanwhile), `unrelated_repository`, `no_result`, `no_space` or
   * `capture_failed`.
   */
  apply(order: ApplyOrder): Promise<ApplyOutcome>
  /**
   * Commits base → result onto HEAD of the target: HEAD moves by compare and swap, and index and
   * working files move along at exactly the paths that differ; nothing else does, staged or not. All
   * or nothing. Inside `withTarget`, with nothing interrupted. Refuses as `apply` does, and with
   * `conflict`, and with `refused_in_state` where one of these paths has changes of the user's.
   */
  pick(order: PickOrder): Promise<PickOutcome>
  /**
   * Takes a pick back: HEAD goes to where it was before, by compare and swap, and index and working
   * files with it as for a pick. All or nothing. Inside `withTarget`, with nothing interrupted.
   * Refuses as `pick` does.
   */
  unpick(order: UnpickOrder): Promise<readonly FileChange[]>
  /** The branch that HEAD of a checkout stands for now; null: it is detached. */
  findBranch(target: Checkout): Promise<string | null>
  /** The applications of a task that stand, oldest first, interrupted ones too. */
  list(task: TaskId): readonly Application[]
  /**
   * Brings every file that the application wrote back to what it was before, finishes one that was
   * interrupted in the same way, and forgets it. A pick that had moved HEAD is ended instead.
   * Refuses with `changed_since`, naming the paths, if a file is no longer as it was written; then
   * nothing is touched. Inside `withTarget`.
   */
  undo(application: Application, target: Checkout): Promise<readonly FileChange[]>
}
