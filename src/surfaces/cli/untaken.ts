import type { Task } from '../../domain/task.ts'
import { isUntaken } from '../../domain/untaken.ts'
import type { Output } from './output.ts'

/** For people who look at a result: how to take it. Where a program reads, nobody is told. */
export function offerApply({ request, state, taken, worktree }: Task, output: Output): void {
  if (!output.stdoutIsTerminal) return
  const result = 'result' in state ? state.result : null
  if (isUntaken({ result, taken, worktree })) output.tell(`next: holdfast apply ${request.id}`)
}
