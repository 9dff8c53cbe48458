/**
 * The state directory as a place: whether it can serve, and what deaths between two writes have
 * left lying in it. For `doctor`; only looks, except where it says so.
 */
import type { TaskId } from '../domain/ids.ts'

export interface Upkeep {
  /** Throws the refusal that every other command would give. */
  look(): HomeLook
  makePrivate(): void
  /** What nobody can still be writing, oldest first. Only names that we give are looked at. */
  listLeftovers(): readonly Leftover[]
  removeLeftover(leftover: Leftover): void
  /** Files of locks that are no lock files; their names. */
  listBrokenLocks(): readonly string[]
  /** Empties such a file. Who holds the lock by it goes on holding it. */
  mendLock(name: string): void
  /**
   * Makes a damaged store anew from what can still be read of it, and keeps the damaged one. Only
   * while the worker's lock is held, and nothing of ours has the store open. Refuses with
   * `store_newer`.
   */
  salvageStore(): Promise<Salvaged>
  /** Who holds which lock, in words, as far as the system says so. */
  listHeldLocks(): readonly { readonly name: string; readonly holder: string }[]
}

export interface HomeLook {
  readonly path: string
  /** False: the first task makes it. */
  readonly isThere: boolean
  readonly isPrivate: boolean
  readonly isWritable: boolean
  readonly freeBytes: number
}

export interface Salvaged {
  /** Where the damaged store is kept; null: there was none. */
  readonly keptIn: string | null
  /** What was read of it, and what was not, in words. */
  readonly notes: readonly string[]
}

export interface Leftover {
  readonly path: string
  readonly kind: 'scratch' | 'half-written' | 'discarded worktree'
  /** The task that it is of; null: of none in particular. */
  readonly task: TaskId | null
}
