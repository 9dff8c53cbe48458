import { resultOf, type Task } from '../../domain/task.ts'
import { isUntaken } from '../../domain/untaken.ts'
import { tellLeftOut } from '../tell-left-out.ts'
import type { Output } from './output.ts'

/** For people who look at a result: how to take it. Where a program reads, nobody is told that. */
export function offerApply({ request, state, taken, worktree }: Task, output: Output): void {
  const result = resultOf(state)
  if (result !== null) tellLeftOut(result, output)
  if (!output.stdoutIsTerminal || result?.files === 0 || taken !== null) return
  if (isUntaken({ result, taken, worktree })) output.tell(`next: holdfast apply ${request.id}`)
}
