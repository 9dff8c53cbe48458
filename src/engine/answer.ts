/** Answers what a task's agent asks; a worker passes it on. */
import { AppError } from '../domain/errors.ts'
import type { Question } from '../domain/question.ts'
import type { Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'

/** The question that a task asks. Refuses with `refused_in_state` where it asks nothing. */
export function requireQuestion({ request, state }: Task): Question {
  if (state.name === 'needs_input') return state.question
  throw new AppError('refused_in_state', `${request.id} asks nothing: it is ${state.name}`, {
    hint: `holdfast status ${request.id}`,
  })
}

/**
 * Durable when this returns. `words`: the number, id or label of an option; or, where there are
 * none, anything. Refuses with `bad_usage`, and with `refused_in_state` where somebody else was
 * faster.
 */
export async function answerQuestion(
  task: Task,
  words: string,
  store: Store,
  now: number,
): Promise<void> {
  const { id } = task.request
  const question = requireQuestion(task)
  const { text, label } = chooseAnswer(question, words)
  const note = `answered: ${label}`
  if (await store.recordAnswer(id, question.id, { text, note }, now)) return
  throw new AppError('refused_in_state', `${id} was answered in the meantime`, {
    hint: `holdfast logs ${id} says what`,
  })
}

function chooseAnswer({ options }: Question, words: string): { text: string; label: string } {
  const said = words.trim()
  if (said === '') throw new AppError('bad_usage', 'an empty answer says nothing')
  if (options.length === 0) return { text: words, label: firstLine(words) }
  const lower = said.toLowerCase()
  const found =
    (/^\d+$/.test(said) ? options[Number(said) - 1] : undefined) ??
    options.find(({ id }) => id === said) ??
    options.find(({ label }) => label.toLowerCase() === lower)
  if (found !== undefined) return { text: found.id, label: found.label }
  throw new AppError('bad_usage', `"${firstLine(said)}" is none of the answers`, {
    hint: describeOptions(options),
  })
}

/** `1 Allow · 2 Reject`. */
export function describeOptions(options: Question['options']): string {
  return options.map(({ label }, n) => `${n + 1} ${label}`).join(' · ')
}

const firstLine = (text: string) => text.split('\n', 1)[0] ?? ''
