/** Readies a worktree that was just made: what the task needs besides its base, before any agent runs. */
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import type { Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClaimedAttempt, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'

/** Longer than a tick of any file system's clock: what came before the mark then looks older. */
const TICK_MS = 20

/**
 * Places the ignored files that were taken along, and marks the end of set-up. What cannot be placed
 * is told in the task's log, and keeps nobody from the work.
 */
export async function readyWorktree(
  { request: { setUp } }: Task,
  attempt: ClaimedAttempt,
  worktree: WorktreeRecord,
  { store, files, worktrees, clock }: ReadyPorts,
): Promise<void> {
  if (setUp === null || setUp.included === null) return
  const note = (text: string) =>
    store.recordNote(attempt.task, attempt.fence, 'attempt_started', text, clock.now())
  try {
    const problems = await worktrees.placeIncluded(worktree, files.directory(attempt.task))
    for (const problem of problems) await note(problem)
  } catch (error) {
    await note(`the included files could not be placed: ${messageOf(error)}`)
  }
  reach('worktree.included')
  await clock.sleep(TICK_MS)
  await files.markSetUp(worktree.id)
  reach('worktree.marked')
}

interface ReadyPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
}
