/** Says something to a task that has not ended; a worker passes it on. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { Message } from '../domain/message.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'
import { checkPrompt } from './check-prompt.ts'

/**
 * Durable when this returns. Undefined: the task has ended, or is about to; whoever wants to go on
 * with its session hands in a task that follows it. Refuses with `bad_usage` what its agent cannot
 * be told.
 */
export async function say(
  task: Task,
  text: string,
  agent: Agent,
  store: Store,
  now: number,
): Promise<Message | undefined> {
  if (agent.capabilities.continues !== 'session') {
    throw new AppError('bad_usage', `${agent.name} has no session in which it could be told more`, {
      hint: `hand in another task: holdfast run ${agent.name} …`,
    })
  }
  if (task.request.opened !== null && !hasEnded(task.state)) {
    throw new AppError('refused_in_state', `a person drives ${task.request.id}, at a terminal`, {
      hint: 'say it there; or say it once that has ended',
    })
  }
  checkPrompt(Buffer.from(text), agent)
  const message = await store.recordMessage(task.request.id, text, now)
  reach('message.committed')
  return message
}
