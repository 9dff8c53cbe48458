import type { Task } from '../domain/task.ts'
import { type BroughtBack, bringBack } from '../engine/bring-back.ts'
import { systemClock } from '../system-clock.ts'
import type { SurfaceContext } from './context.ts'
import { describeMended } from './describe-mended.ts'

/** Brings what a task did in its worktree to where it was asked. */
export async function bringHome(
  task: Task,
  { onlyAsFound }: { readonly onlyAsFound: boolean },
  { holdfast, output, interrupted }: SurfaceContext,
): Promise<BroughtBack> {
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
  const wish = {
    onlyAsFound,
    isStopped: () => interrupted.aborted,
    onMended: (mended: Parameters<typeof describeMended>[0]) => output.tell(describeMended(mended)),
  }
  return await bringBack(task, wish, ports)
}
