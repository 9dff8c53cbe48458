/** What the state directory takes on its disk: measured beside the work, in bounded time, and remembered. */
import type { DiskUse, Measured } from '../domain/disk-budget.ts'

export interface Disk {
  /**
   * The blocks of all that is below a path. Links are not followed, nor other file systems entered;
   * what has several names counts once; what cannot be opened, or went meanwhile, counts nothing. In
   * slices of some milliseconds, so that others get their turn. Undefined: `leave` came first.
   */
  measure(path: string | Buffer, leave: AbortSignal): Promise<Tree | undefined>
  /** Of the file system that the state directory lies on. */
  space(): DiskSpace
  /** What earlier rounds measured, by what it is of; nothing where nobody has, or it cannot be read. */
  loadMeasured(): Map<string, Measured>
  saveMeasured(measured: ReadonlyMap<string, Measured>): void
  /** What all of it came to when it was last looked at; for those who have no time to measure. */
  loadUse(): RecordedUse | undefined
  saveUse(use: RecordedUse): void
}

export interface Tree {
  readonly bytes: number
  /** Somewhere in it is a `.git`. */
  readonly holdsRepository: boolean
}

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

export interface RecordedUse {
  readonly use: DiskUse
  readonly budgetBytes: number
  /** Milliseconds since 1970. */
  readonly measuredAt: number
}
