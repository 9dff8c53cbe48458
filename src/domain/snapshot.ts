/** What a worktree was when its directory was taken away, and how it is brought back. */
import type { WorktreeId } from './ids.ts'
import type { Base, WorktreeKind } from './task.ts'

/** A worktree's state: all of its work. */
export interface SnapshotContent {
  /** Its commit, index and working files, held by `refs/holdfast/<worktree>/snapshot/<number>`. */
  readonly state: Base
  /** The branch that HEAD was on, as a full ref; null: on none. */
  readonly branch: string | null
  readonly ignored: IgnoredFiles
}

/** Ignored files; they lie in the state directory, in `snapshots/<worktree>-<number>/`. */
export interface IgnoredFiles {
  readonly files: number
  readonly bytes: number
  /** Directories that were not kept, because a program makes them anew; by path, with a slash. */
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
}
