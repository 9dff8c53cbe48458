/** Brings what a job did in a worktree to where it was asked. */
import type { Task } from '../../domain/task.ts'
import { type BroughtBack, bringBack } from '../../engine/bring-back.ts'
import { systemClock } from '../../system-clock.ts'
import type { CommandContext } from '../cli/command.ts'
import { describeMended } from '../describe-mended.ts'
import { companionOf, describeApply } from './job.ts'

export async function bringHome(task: Task, context: CommandContext): Promise<BroughtBack> {
  const { holdfast, output } = context
  if (task.state.name !== 'succeeded') return { kind: 'nothing' }
  if (describeApply(task) === null || !companionOf(task).write) return { kind: 'nothing' }
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
  const { interrupted } = context
  const wish = {
    isStopped: () => interrupted.aborted,
    onMended: (mended: Parameters<typeof describeMended>[0]) => output.tell(describeMended(mended)),
  }
  return await bringBack(task, wish, ports)
}
