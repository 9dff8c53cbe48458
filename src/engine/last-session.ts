/** Which session a person was in last, who may have begun another in the agent's user interface. */
import { overlay } from '../domain/environment.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { Progress, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import type { Underway } from './follow-attempt.ts'

interface LastSessionPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly clock: Clock
  readonly worktrees: Worktrees
}

/** Of a task that nobody drove, the progress as it was. */
export async function noteLastSession(
  underway: Underway,
  progress: Progress,
  ports: LastSessionPorts,
): Promise<Progress | 'superseded'> {
  const session = await findLastSession(underway, ports)
  if (session === undefined || session === progress.translation.session) return progress
  const noted = { ...progress, translation: { ...progress.translation, session } }
  const { store, clock } = ports
  const recorded = await store.recordProgress(underway.attempt, noted, [], clock.now())
  return recorded ? noted : 'superseded'
}

/** Undefined: none was written since it was opened, or that cannot be told. */
async function findLastSession(
  { task, attempt, agent, worktree }: Underway,
  { files, worktrees }: LastSessionPorts,
) {
  const { opened, workplace, repo } = task.request
  const { keptSessions } = agent
  if (opened?.by !== 'agent' || keptSessions === undefined || worktree === null) return undefined
  // In the user's own directory another may be theirs, of the same time.
  if (workplace.kind === 'borrowed' && task.session !== null) return undefined
  // It would be made anew.
  if (worktrees.lookAtWorktree(worktree) !== 'present') return undefined
  const directory = await files.ensureWithin(worktree.path, repo.subdirectory)
  if (directory === undefined) return undefined
  const environment = await files.readEnvironment(attempt.task)
  for (const home of [...ownHome(agent, files.agentHome(workplace.id), environment), environment]) {
    const found = keptSessions.newestIn(directory, attempt.startedAt, home)
    if (found !== undefined) return found
  }
  return undefined
}

function ownHome({ ownHome: own }: Agent, home: string, environment: Environment) {
  return own === undefined ? [] : [overlay(environment, own.variables(home))]
}
