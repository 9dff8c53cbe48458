/**
 * Spare worktrees: made while nobody waits, so that a task's worktree costs what differs and not the
 * size of its repository. Where they are worth their room, and how many. Pure.
 */
import type { CommitId, WorktreeId } from './ids.ts'
import type { TaskRequest } from './task.ts'

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
  /** They may hold build output of worktrees that were put away. Absent: they may not. */
  readonly keepsOutput?: boolean
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
  /** It holds build output. Absent: it does not. */
  readonly hasOutput?: boolean
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
      spare =>
        spare.commonDir === commonDir &&
        spare.umask === newest.umask &&
        (spare.hasOutput !== true || policy.keepsOutput === true),
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

/** `agents`: by agents that were held to their worktree; `full`: by such alone as might do anything. */
export type OutputRights = 'agents' | 'full'

export function rightsOf(tasks: readonly { readonly request: TaskRequest }[]): OutputRights {
  const isFull = ({ request }: { readonly request: TaskRequest }) =>
    request.permissions.effective === 'full'
  return tasks.length > 0 && tasks.every(isFull) ? 'full' : 'agents'
}

/**
 * Whether a task may begin with build output that was written with these rights: it runs what lies
 * there. So neither it nor its set-up may do more than whoever wrote it. What it brings along itself
 * wants the place free.
 */
export function mayHaveOutput(
  rights: OutputRights,
  { permissions, setUp }: Pick<TaskRequest, 'permissions' | 'setUp'>,
): boolean {
  if ((setUp?.directories ?? []).length > 0) return false
  if (rights === 'full') return true
  // A set-up is held as its agent is; but not where the agent holds itself.
  const isSetUpHeld = setUp?.command?.trusted !== true || permissions.enforcedBy === 'system'
  return permissions.effective !== 'full' && isSetUpHeld
}
