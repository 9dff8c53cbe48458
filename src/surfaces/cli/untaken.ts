/** Which results wait to be taken home, and how that is done. */
import type { Task } from '../../domain/task.ts'
import type { Output } from './output.ts'

/** Of a task or of its view, as far as it matters here; a result is there once it has ended. */
interface Outcome {
  readonly result: { readonly commit: string | null; readonly files: number } | null
  readonly taken: unknown
  readonly worktree: { readonly kind: string } | null
}

/** It changed something that was not taken. In a borrowed worktree it is home already. */
export function isUntaken({ result, taken, worktree }: Outcome): boolean {
  if (result === null || taken !== null || worktree?.kind === 'borrowed') return false
  return result.commit !== null && result.files > 0
}

/** For people who look at a result: how to take it. Where a program reads, nobody is told. */
export function offerApply({ request, state, taken, worktree }: Task, output: Output): void {
  if (!output.stdoutIsTerminal) return
  const result = 'result' in state ? state.result : null
  if (isUntaken({ result, taken, worktree })) output.tell(`next: holdfast apply ${request.id}`)
}
