import { AppError } from '../../../domain/errors.ts'
import type { TaskId } from '../../../domain/ids.ts'
import type { SurfaceContext } from '../../context.ts'
import { ringOrTell } from '../../look.ts'
import { passAnswer, requireSameQuestion } from '../../pass-answer.ts'
import { sendWords } from '../../send-words.ts'
import { requireWritableStore } from '../../writable-store.ts'

/** What became of what was typed, in words, and the task that has it now. */
interface Heard {
  readonly text: string
  readonly task: TaskId
}

/**
 * Answers the question that whoever typed it saw (null: none); else says it to the task, or to one that
 * follows. Refuses where it asks something else by now.
 */
export async function sayHere(
  id: TaskId,
  typed: string,
  question: string | null,
  context: SurfaceContext,
): Promise<Heard> {
  const store = await requireWritableStore(context)
  const task = await store.findTask(id)
  if (task === undefined) throw new Error('a task that was found is there')
  if (question !== null) {
    requireSameQuestion(task, question)
    await passAnswer(task, typed, context)
    return { text: 'answered', task: id }
  }
  if (task.state.name === 'needs_input') {
    throw new AppError('refused_in_state', 'it asks something by now: nothing was said to it')
  }
  const words = { text: Buffer.from(typed), key: null, isAwaited: true }
  const { task: told, message } = await sendWords(task, words, context)
  await ringOrTell(context)
  const text = message === null ? `${told.request.name} follows` : 'told'
  return { text, task: told.request.id }
}
