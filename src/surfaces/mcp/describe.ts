/** Documents as text, for people and for models that read nothing else. */
import { isUntaken } from '../../domain/untaken.ts'
import { describeDelta, renderTaskLine } from '../cli/render.ts'
import type { TaskView } from '../view.ts'

const plain = { style: (_: string, text: string) => text }

export function describeTasks(tasks: readonly TaskView[], now: number): string {
  return tasks.map(task => renderTaskLine(task, now, plain)).join('\n')
}

/** What it came to: the answer verbatim, why it failed, what it changed. */
export function describeEnd({ id, state, error, result, taken, worktree }: TaskView): string {
  const failed =
    error === null ? [] : [`failed (${error.code}): ${error.message}`, error.hint ?? '']
  const answer = result?.answer ?? `${state} without an answer`
  const isThere = result !== null && result.files > 0 && isUntaken({ result, taken, worktree })
  const delta = result === null ? '' : `${id} ${state}: ${describeDelta(result)}`
  const next = isThere ? '; diff shows it, apply takes it' : ''
  return [...failed, answer, `${delta}${next}`].filter(line => line !== '').join('\n')
}
