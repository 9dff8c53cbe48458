/**
 * Whose home an agent works in: the user's, or one for the worktree alone. That is settled when a
 * session begins; it goes on where it is, whatever is set by then. A user's own checkout has none.
 */
import type { AgentHomes } from '../domain/configuration.ts'
import { overlay } from '../domain/environment.ts'
import type { SessionId, WorktreeId } from '../domain/ids.ts'
import type { Workplace } from '../domain/task.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { TaskFiles } from '../ports/task-files.ts'

/** What is laid over the environment where a session is in the worktree's own home; null: it is not. */
export function findOwnHome(
  { ownHome }: Pick<Agent, 'ownHome'>,
  session: SessionId,
  worktree: WorktreeId,
  files: Pick<TaskFiles, 'agentHome'>,
): Environment | null {
  const home = files.agentHome(worktree)
  return ownHome?.holds(home, session) === true ? ownHome.variables(home) : null
}

/** The environment in which an agent finds a session of that worktree. */
export function environmentOf(
  agent: Pick<Agent, 'ownHome'>,
  session: SessionId,
  worktree: WorktreeId,
  environment: Environment,
  files: Pick<TaskFiles, 'agentHome'>,
): Environment {
  const own = findOwnHome(agent, session, worktree, files)
  return own === null ? environment : overlay(environment, own)
}

interface HomePorts {
  readonly files: Pick<TaskFiles, 'agentHome'>
  readonly agentHomes: AgentHomes
}

/** Readies the home for a launch. `session`: the one that goes on; null: one begins. */
export async function enterHome(
  { ownHome }: Pick<Agent, 'ownHome'>,
  session: SessionId | null,
  { id, kind }: Workplace,
  environment: Environment,
  { files, agentHomes }: HomePorts,
): Promise<Environment> {
  if (ownHome === undefined || kind === 'borrowed') return environment
  const home = files.agentHome(id)
  const isOwn = session === null ? agentHomes === 'worktree' : ownHome.holds(home, session)
  if (!isOwn) return environment
  await ownHome.prepare(home, environment)
  return overlay(environment, ownHome.variables(home))
}
