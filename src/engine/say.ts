/** Says something to a task that has not ended; a worker passes it on. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { Message } from '../domain/message.ts'
import { hasEnded, type Idempotency, type Task } from '../domain/task.ts'
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
  idempotency: Idempotency | null = null,
): Promise<Message | undefined> {
  requireSession(agent)
  if (task.request.opened !== null && !hasEnded(task.state)) {
    throw new AppError('refused_in_state', `a person drives ${task.request.id}, at a terminal`, {
      hint: 'say it there; or say it once that has ended',
    })
  }
  checkPrompt(Buffer.from(text), agent)
  const message = await store.recordMessage(task.request.id, text, now, idempotency)
  reach('message.committed')
  return message
}

/** Refuses with `bad_usage`. */
export function requireSession({ name, capabilities }: Agent): void {
  if (capabilities.continues === 'session') return
  throw new AppError('bad_usage', `${name} has no session in which it could be told more`, {
    hint: `hand in another task: holdfast run ${name} …`,
  })
}
