/** Brings what a job did in a worktree to where it was asked. */
import type { Task } from '../../domain/task.ts'
import type { BroughtBack } from '../../engine/bring-back.ts'
import { bringHome } from '../bring-home.ts'
import type { CommandContext } from '../cli/command.ts'
import { companionOf, describeApply } from './job.ts'

export async function bringJobHome(task: Task, context: CommandContext): Promise<BroughtBack> {
  if (task.state.name !== 'succeeded') return { kind: 'nothing' }
  if (describeApply(task) === null || !companionOf(task).write) return { kind: 'nothing' }
  return await bringHome(task, { onlyAsFound: true }, context)
}
