import type { Task } from '../domain/task.ts'
import { type BroughtBack, bringBack } from '../engine/bring-back.ts'
import { systemClock } from '../system-clock.ts'
import type { SurfaceContext } from './context.ts'
import { holdSignals } from './hold-signals.ts'

/** Brings what a task did in its worktree to where it was asked. */
export async function bringHome(
  task: Task,
  { onlyAsFound }: { readonly onlyAsFound: boolean },
  context: SurfaceContext,
): Promise<BroughtBack> {
  const { holdfast } = context
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
  return await bringBack(task, { onlyAsFound, ...holdSignals(context) }, ports)
}
