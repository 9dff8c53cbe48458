/** Brings an attempt's work home: as a commit, a patch and a bundle, and the answer beside it. */
import { messageOf } from '../domain/errors.ts'
import type { Failure, Result } from '../domain/outcome.ts'
import type { RunningSnapshot } from '../domain/snapshot.ts'
import type { Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { PlaceState, WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { isMachineTrouble } from './trouble.ts'

export type Collected =
  | { readonly ok: true; readonly result: Result }
  /** `passes`: a disk was full, or the like; it is only to be waited for. */
  | {
      readonly ok: false
      readonly result: Result
      readonly failure: Failure
      readonly passes: boolean
    }

/**
 * Collects whatever there is. A failure keeps the answer, and is told: `worktree_lost` and
 * `repository_lost` by their names, anything else as `collect_failed` with git's words.
 */
export async function collectWork(
  task: Task,
  worktree: WorktreeRecord | null,
  answer: string | null,
  ports: { readonly worktrees: Worktrees; readonly files: TaskFiles; readonly clock: Clock },
  leave?: AbortSignal,
): Promise<Collected> {
  const nothing: Result = {
    answer,
    commit: null,
    files: 0,
    insertions: 0,
    deletions: 0,
    leftOut: [],
  }
  if (worktree === null) return { ok: true, result: nothing }
  const { id, base } = task.request
  const lost = describeLoss(task, worktree, ports)
  if (lost !== null) return { ok: false, result: nothing, failure: lost, passes: false }
  try {
    const collected = await ports.worktrees.collectResult(
      worktree,
      base,
      id,
      ports.files.directory(id),
      ports.files.setUpTime(worktree.id),
      leave,
    )
    return { ok: true, result: { answer, ...collected } }
  } catch (error) {
    // It may have been lost meanwhile: that is the better word for it.
    const failure = describeLoss(task, worktree, ports) ?? {
      code: 'collect_failed',
      message: messageOf(error),
      hint: `the work is still in ${worktree.path}`,
    }
    const passes = failure.code === 'collect_failed' && isMachineTrouble(error)
    return { ok: false, result: nothing, failure, passes }
  }
}

/** The failure that a lost place is for a task; null while it is there, or may be. */
export function describeLoss(
  { request, snapshot }: Task,
  worktree: WorktreeRecord,
  { worktrees, clock }: { readonly worktrees: Worktrees; readonly clock: Clock },
): Failure | null {
  const place: PlaceState = worktrees.lookAtWorktree(worktree)
  switch (place) {
    case 'present':
    case 'unseen':
      return null
    case 'worktree_lost':
      return {
        code: 'worktree_lost',
        message: `the worktree ${worktree.path} was deleted or replaced while the agent ran in it${describeSnapshot(snapshot, clock.now())}`,
        hint: `holdfast retry ${request.id} ${snapshot === null ? 'does it anew' : 'goes on from that snapshot'}`,
      }
    case 'repository_lost':
      return {
        code: 'repository_lost',
        message: `the repository ${worktree.commonDir} is gone, or was moved`,
        hint: `what the agent wrote is in ${worktree.path}; if the repository was moved, run in its new place: git worktree repair '${worktree.path}', and then: holdfast resume`,
      }
  }
}

function describeSnapshot(snapshot: RunningSnapshot | null, now: number): string {
  if (snapshot === null) return ''
  const seconds = Math.max(0, Math.round((now - snapshot.takenAt) / 1000))
  const age = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
  return `; its files were last kept aside ${age} before that was noticed`
}
