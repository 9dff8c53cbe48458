/**
 * Spare worktrees: made while nobody waits, so that a task's worktree costs what differs and not the
 * size of its repository. Where they are worth their room, and how many. Pure.
 */
import type { CommitId, WorktreeId } from './ids.ts'

const DAY_MS = 86_400_000
/** A repository in use: so many tasks, in so long. */
const TASKS_IN_USE = 2
const IN_USE_MS = 7 * DAY_MS
/** Without any task for so long its spares are given back. */
const IDLE_MS = 3 * DAY_MS
/** With fewer files a worktree is made as fast as a spare is looked at (measured: some 20 ms). */
const FEWEST_FILES = 2_000

export interface PoolPolicy {
  /** How many spares a repository in use has; 0: none. */
  readonly size: number
  readonly fewestFiles: number
}

export const DEFAULT_POOL: PoolPolicy = { size: 2, fewestFiles: FEWEST_FILES }

/** A repository that tasks were handed in for. */
export interface PooledRepository {
  readonly commonDir: string
  /** When its tasks were handed in; milliseconds since 1970. */
  readonly taskTimes: readonly number[]
  /** What the next task will most likely start from: what the newest did. */
  readonly newest: { readonly commit: CommitId; readonly umask: number | null }
  /** How many files it has; null: that is not known. */
  readonly files: number | null
}

export interface Spare {
  readonly id: WorktreeId
  readonly commonDir: string
  readonly commit: CommitId
  /** With which its files were written; null: as the worker would. */
  readonly umask: number | null
}

export interface PoolPlan {
  readonly drop: readonly WorktreeId[]
  /** To be set on another commit. */
  readonly aim: readonly { readonly id: WorktreeId; readonly commit: CommitId }[]
  readonly make: readonly Omit<Spare, 'id'>[]
}

/** `hasRoom`: the disk is not nearly full. */
export function planPool(
  repositories: readonly PooledRepository[],
  spares: readonly Spare[],
  policy: PoolPolicy,
  hasRoom: boolean,
  now: number,
): PoolPlan {
  const drop = new Set(spares.map(({ id }) => id))
  const aim: { id: WorktreeId; commit: CommitId }[] = []
  const make: Omit<Spare, 'id'>[] = []
  for (const repository of repositories) {
    if (!hasRoom || !isPooled(repository, policy, now)) continue
    const { commonDir, newest } = repository
    const fitting = spares.filter(
      spare => spare.commonDir === commonDir && spare.umask === newest.umask,
    )
    const kept = fitting.slice(0, policy.size)
    for (const { id, commit } of kept) {
      drop.delete(id)
      if (commit !== newest.commit) aim.push({ id, commit: newest.commit })
    }
    for (let n = kept.length; n < policy.size; n++) make.push({ commonDir, ...newest })
  }
  return { drop: [...drop], aim, make }
}

function isPooled(
  { taskTimes, files }: PooledRepository,
  { fewestFiles }: PoolPolicy,
  now: number,
): boolean {
  const recent = taskTimes.filter(time => now - time < IN_USE_MS)
  const isInUse = recent.length >= TASKS_IN_USE && recent.some(time => now - time < IDLE_MS)
  return isInUse && files !== null && files >= fewestFiles
}
