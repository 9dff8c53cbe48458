import { AppError } from '../domain/errors.ts'
import { askedBy, type Task } from '../domain/task.ts'
import { answerQuestion, requireQuestion } from '../engine/answer.ts'
import type { SurfaceContext } from './context.ts'
import { ringOrTell } from './look.ts'
import { requireWritableStore } from './writable-store.ts'

/** Answers what a task's agent asks; the task as it stands then. */
export async function passAnswer(
  task: Task,
  words: string,
  context: SurfaceContext,
): Promise<Task> {
  const store = await requireWritableStore(context)
  const agent = await context.holdfast.agent(task.agent)
  await answerQuestion(task, words, agent, store, context.now())
  await ringOrTell(context)
  return (await store.findTask(task.request.id)) ?? task
}

/** Between looking and answering, it may have come to ask something else. */
export function requireSameQuestion(task: Task, question: string): void {
  requireQuestion(task)
  if (askedBy(task)?.name === question) return
  const { id } = task.request
  throw new AppError('refused_in_state', `${id} asks something else by now`, {
    hint: `holdfast answer ${id} shows what`,
  })
}
