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

/** Each as it stands, and what it came to or asks. */
export function describeWaited(tasks: readonly TaskView[], timedOut: boolean, now: number): string {
  const parts = tasks.map(task => {
    const line = describeTasks([task], now)
    if (task.question !== null) {
      const options = task.question.options.map(({ label }, n) => `${n + 1} ${label}`).join(' · ')
      return `${line}\nit asks: ${task.question.text}\n${options}\nanswer it with the tool answer`
    }
    return task.endedAt === null ? line : `${line}\n${describeEnd(task)}`
  })
  return [...parts, timedOut ? 'not over yet: call wait again' : ''].join('\n').trimEnd()
}
