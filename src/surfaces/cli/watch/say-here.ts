import type { TaskId } from '../../../domain/ids.ts'
import { say } from '../../../engine/say.ts'
import type { SurfaceContext } from '../../context.ts'
import { ringOrTell } from '../../look.ts'
import { passAnswer } from '../../pass-answer.ts'
import { requireWritableStore } from '../../writable-store.ts'

/** Answers what a task asks, else tells it more. Gives what became of it, in words. */
export async function sayHere(id: TaskId, text: string, context: SurfaceContext): Promise<string> {
  const { holdfast } = context
  const store = await requireWritableStore(context)
  const task = await store.findTask(id)
  if (task === undefined) throw new Error('a task that was found is there')
  if (task.state.name === 'needs_input') {
    await passAnswer(task, text, context)
    return 'answered'
  }
  const message = await say(task, text, await holdfast.agent(task.agent), store, context.now())
  if (message === undefined) return `it is ${task.state.name}, and hears nothing any more`
  await ringOrTell(context)
  return 'told'
}
