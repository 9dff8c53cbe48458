/** Answers what a task's agent asks; a worker passes it on. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Question } from '../domain/question.ts'
import { type Asked, askedBy, type Task, type TaskState } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'

/** The question that a task asks. Refuses with `refused_in_state` where it asks nothing. */
export const requireQuestion = (task: Task): Question => requireAsking(task).question

/** What a task asks, and nobody has answered; null: nothing. An answer may not have been passed on yet. */
export async function findAsked(
  task: Task,
  store: Pick<Store, 'listAnswers'>,
): Promise<Asked | null> {
  const { request, state } = task
  if (state.name !== 'needs_input') return null
  const answers = await store.listAnswers(request.id, state.fence)
  return answers.has(state.question.id) ? null : askedBy(task)
}

function requireAsking({ request, state }: Task): Extract<TaskState, { name: 'needs_input' }> {
  if (state.name === 'needs_input') return state
  throw new AppError('refused_in_state', `${request.id} asks nothing: it is ${state.name}`, {
    hint: `holdfast status ${request.id}`,
  })
}

/**
 * Durable when this returns. `words`: the number (`#2` too), id or label of an option; or, where there
 * are none, whatever its agent takes for an answer. Refuses with `bad_usage`, and with
 * `refused_in_state` where somebody else was faster.
 */
export async function answerQuestion(
  task: Task,
  words: string,
  { dialogue }: Agent,
  store: Store,
  now: number,
): Promise<void> {
  const { id } = task.request
  const { fence, question } = requireAsking(task)
  const { text, label } = chooseAnswer(question, words)
  // The first answer counts: with one that its agent does not take it would wait for ever.
  const progress = await store.findProgress(id, fence)
  if (progress && dialogue?.takesAnswer(progress.translation, question.id, text) === false) {
    const { state } = (await store.findTask(id)) ?? task
    const isSame = state.name === 'needs_input' && state.fence === fence
    if (!isSame || state.question.id !== question.id) throw answered(id)
    throw new AppError('bad_usage', `"${firstLine(text)}" does not answer what is asked`, {
      hint: question.text,
    })
  }
  const note = `answered: ${label}`
  const asked = { fence, id: question.id }
  if (!(await store.recordAnswer(id, asked, { text, note }, now))) throw answered(id)
  reach('answer.committed')
}

function answered(id: TaskId): AppError {
  return new AppError('refused_in_state', `${id} was answered in the meantime`, {
    hint: `holdfast logs ${id} says what`,
  })
}

/** What an answer in words comes to: what the agent is told, and what people read. Refuses with `bad_usage`. */
export function chooseAnswer(
  { options }: Question,
  words: string,
): { readonly text: string; readonly label: string } {
  const said = words.trim()
  if (said === '') throw new AppError('bad_usage', 'an empty answer says nothing')
  if (options.length === 0) return { text: words, label: firstLine(words) }
  const lower = said.toLowerCase()
  const [, digits] = said.match(/^#?(\d+)$/) ?? []
  const numbered = digits === undefined ? undefined : options[Number(digits) - 1]
  const named =
    options.find(({ id }) => id === said) ??
    options.find(({ label }) => label.toLowerCase() === lower)
  const found = named ?? numbered
  const hint = describeOptions(options)
  if (found === undefined) {
    throw new AppError('bad_usage', `"${firstLine(said)}" is none of the answers`, { hint })
  }
  if (numbered !== undefined && numbered !== found) {
    const words = `"${said}" is the number of one answer, and the name of another`
    throw new AppError('bad_usage', words, { hint: `by their numbers: ${numberOptions(options)}` })
  }
  return { text: found.id, label: found.label }
}

/** `1 Allow · 2 Reject`. */
export function describeOptions(options: Question['options']): string {
  return numberOptions(options, '')
}

const numberOptions = (options: Question['options'], sign = '#') =>
  options.map(({ label }, n) => `${sign}${n + 1} ${label}`).join(' · ')

const firstLine = (text: string) => text.split('\n', 1)[0] ?? ''
