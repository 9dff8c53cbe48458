/** What is read of use from an agent's own record, where it has not said so itself. */
import type { SessionId } from '../domain/ids.ts'
import type { Usage } from '../domain/outcome.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Progress } from '../ports/store.ts'
import { countUsage, type Reading, type Speaker } from './read-output.ts'

/** Of a session that others have used: only what counts over all of it is told from that. */
export async function readUsed(
  agent: Agent,
  session: SessionId,
  environment: Environment,
): Promise<Usage | null> {
  if (agent.capabilities.usageCounts !== 'session') return null
  return (await agent.readUsage?.(session, environment)) ?? null
}

/** Reading it means reading the agent's own record of its session. */
const READ_EVERY_MS = 5_000

/** Of a task with a budget, asked at every look: the progress, with what the attempt is known to have used by now. */
type UsageWatch = (reading: Reading, now: number) => Promise<Progress>

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
