/** What a worktree was when its directory was taken away, or while an agent was at work in it. */
import type { CommitId, Fence, TaskId, WorktreeId } from './ids.ts'
import type { Base, WorktreeKind } from './task.ts'

/** A worktree's state: all of its work. */
export interface SnapshotContent {
  /** Its commit, index and working files, held by `refs/holdfast/<worktree>/snapshot/<number>`. */
  readonly state: Base
  /** The branch that HEAD was on, as a full ref; null: on none. */
  readonly branch: string | null
  readonly ignored: IgnoredFiles
  /**
   * When its taking began, in nanoseconds since 1970, as the file system says it. Absent: an older
   * Holdfast did not write it down.
   */
  readonly begunAt?: string
}

/**
 * Ignored files; they lie in the state directory, in `snapshots/<worktree>-<number>/`, and beside them
 * what is kept of populated submodules, which is not counted here.
 */
export interface IgnoredFiles {
  readonly files: number
  readonly bytes: number
  /**
   * Directories that were not kept, in submodules too, because a program makes them anew; by path,
   * with a slash.
   */
  readonly dropped: readonly string[]
}

export interface Snapshot extends SnapshotContent {
  readonly worktree: WorktreeId
  /** Counts from 1 for each worktree. */
  readonly number: number
  readonly kind: WorktreeKind
  /** Where it stood. */
  readonly path: string
  readonly commonDir: string
  /** Milliseconds since 1970. */
  readonly takenAt: number
  /** It may hold what is nowhere else: it is kept until it is brought back. */
  readonly isKept?: boolean
  /**
   * It was taken after a clean-up: the number of the one before that, which is brought back in its
   * place. One that is kept without this was taken before a clean-up was begun.
   */
  readonly before?: number
}

/** The files of a running task as they were at a moment, for the case that its worktree is lost. */
export interface RunningSnapshot {
  /** With the attempt's fence, its name: `snapshot-<fence>-<number>.bundle` in the task directory. */
  readonly fence: Fence
  /** Counts from 1 in each attempt. */
  readonly number: number
  /** On top of what the task started from. A second parent: where HEAD was, if it had moved. */
  readonly commit: CommitId
  /** Milliseconds since 1970. */
  readonly takenAt: number
  /** What is not in it, in words, each with its path. */
  readonly leftOut: readonly string[]
}

/** The snapshot that a task starts from: its files, while what it is compared with stays its base. */
export interface Start extends Pick<RunningSnapshot, 'commit' | 'takenAt' | 'leftOut'> {
  /** Whose worktree was lost. */
  readonly from: TaskId
}

/** How often a running task is snapshotted, unless the user says otherwise. */
export const SNAPSHOT_EVERY_MS = 5 * 60_000
