/** Brings what a task has changed back to where it was asked. */
import { AppError, messageOf } from '../../domain/errors.ts'
import type { Task } from '../../domain/task.ts'
import { applyTask } from '../../engine/apply.ts'
import { chooseTarget } from '../../engine/choose-target.ts'
import { systemClock } from '../../system-clock.ts'
import type { CommandContext } from '../cli/command.ts'
import { describeMended } from '../describe-mended.ts'

/** `kept`: nothing was written, and why. */
export type BroughtBack =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'applied'; readonly root: string; readonly files: number }
  | { readonly kind: 'kept'; readonly why: string }

export async function bringBack(task: Task, context: CommandContext): Promise<BroughtBack> {
  const { holdfast, output, interrupted } = context
  const { root } = task.request.repo
  const ports = {
    store: await holdfast.store(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
  try {
    const target = await chooseTarget(task, { to: root, directory: root, callerTask: null }, ports)
    const outcome = await applyTask(
      task,
      {
        target,
        mode: 'clean',
        isStopped: () => interrupted.aborted,
        onMended: mended => output.tell(describeMended(mended)),
      },
      ports,
    )
    switch (outcome.kind) {
      case 'applied':
        return { kind: 'applied', root, files: outcome.files.length }
      case 'in_place':
      case 'nothing':
        return { kind: 'nothing' }
      default: {
        const paths = 'conflicts' in outcome ? outcome.conflicts.map(({ path }) => path) : []
        return { kind: 'kept', why: `${root} has changed since: ${paths.join(', ')}` }
      }
    }
  } catch (error) {
    // It is gone, or cannot be written to now: what was done is safe where it is.
    if (error instanceof AppError) return { kind: 'kept', why: messageOf(error) }
    throw error
  }
}
