/** What a task with a budget has used, also while its agent has yet to say so. */
import type { SessionId } from '../domain/ids.ts'
import type { Environment } from '../ports/agent.ts'
import type { Progress } from '../ports/store.ts'
import { countUsage, type Reading, type Speaker } from './read-output.ts'

/** Reading it means reading the agent's own record of its session. */
const READ_EVERY_MS = 5_000

/** Asked at every look: the progress, with what the attempt is known to have used by now. */
export type UsageWatch = (reading: Reading, now: number) => Promise<Progress>

export function watchUsage(
  { task, agent }: Speaker,
  readEnvironment: (session: SessionId) => Promise<Environment>,
): UsageWatch {
  let readAt = Number.NEGATIVE_INFINITY
  return async ({ progress, before }, now) => {
    const { session, turn } = progress.translation
    const isDue = task.budget !== null && session !== null && turn === null
    if (!isDue || agent.readUsage === undefined || now - readAt < READ_EVERY_MS) return progress
    readAt = now
    const read = await agent.readUsage(session, await readEnvironment(session))
    return read === null ? progress : { ...progress, ...countUsage(read, before) }
  }
}
