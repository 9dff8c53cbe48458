/** Where a task's session is, and how it comes to be in another directory. */
import type { SessionId, WorktreeId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Agent, Environment, SessionPlan } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import { environmentOf, findOwnHome } from './agent-home.ts'

export interface SessionPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly agent: (name: string) => Promise<Agent>
}

/** What becomes of a session when its task's work goes elsewhere. */
export type SessionFate =
  | { readonly kind: 'none' }
  | (WhereToGoOn & { readonly kind: 'moves'; carry(): Promise<void> })
  | (WhereToGoOn & { readonly kind: 'stays'; readonly why: string })

interface WhereToGoOn {
  readonly session: SessionId
  /** Where people go on with it by themselves, and with which argv; null: none is known. */
  readonly directory: string
  readonly argv: readonly [string, ...string[]] | null
}

/** The top of a checkout. */
interface SessionEnd {
  readonly root: string
  /** Null: it is the user's own, and the session is in their home of the agent. */
  readonly worktree: WorktreeId | null
}

/** From one checkout to another; nothing is written before `carry`. */
export async function planSession(
  task: Task,
  { from, to }: { readonly from: SessionEnd; readonly to: SessionEnd },
  environment: Environment,
  { agent: findAgent, files }: Pick<SessionPorts, 'agent' | 'files'>,
): Promise<SessionFate> {
  const { session } = task
  if (session === null) return { kind: 'none' }
  const agent = await findAgent(task.agent)
  const { subdirectory } = task.request.repo
  const at = ({ root, worktree }: SessionEnd) => ({
    directory: subdirectory === '' ? root : `${root}/${subdirectory}`,
    argv: interactiveIn(agent, session, worktree, files),
    environment:
      worktree === null ? environment : environmentOf(agent, session, worktree, environment, files),
  })
  const [here, there] = [at(from), at(to)]
  const stays = { kind: 'stays', session, directory: here.directory, argv: here.argv } as const
  if (agent.planSessionMove === undefined) {
    return { ...stays, why: `${agent.name} binds a session to the directory that it was begun in` }
  }
  const move = { session, from: here.directory, to: there.directory }
  const homes = { from: here.environment, to: there.environment }
  const plans: SessionPlan[] = [await agent.planSessionMove(move, there.environment)]
  if (homes.from !== homes.to) plans.push(...(await planHomes(agent, session, homes)))
  for (const plan of plans) if (plan.kind === 'stays') return { ...stays, why: plan.why }
  return {
    kind: 'moves',
    session,
    directory: there.directory,
    argv: there.argv,
    async carry() {
      for (const plan of plans) if (plan.kind === 'moves') await plan.carry()
    },
  }
}

async function planHomes(
  { ownHome }: Agent,
  session: SessionId,
  homes: { readonly from: Environment; readonly to: Environment },
): Promise<readonly SessionPlan[]> {
  return ownHome === undefined ? [] : [await ownHome.planMove(session, homes)]
}

/** In a home of the worktree's own nobody finds a session who does not name that. */
function interactiveIn(
  agent: Agent,
  session: SessionId,
  worktree: WorktreeId | null,
  files: TaskFiles,
): readonly [string, ...string[]] | null {
  const argv = agent.interactive?.(session) ?? null
  const own = worktree === null ? null : findOwnHome(agent, session, worktree, files)
  if (argv === null || own === null) return argv
  return ['env', ...Object.entries(own).map(([name, value]) => `${name}=${value}`), ...argv]
}

/** The worktree of a task: where it stands, or stood before it was put away. */
export async function worktreeEnd(
  { request: { id, workplace }, worktree }: Task,
  { store, files }: Pick<SessionPorts, 'store' | 'files'>,
): Promise<SessionEnd> {
  const end = (root: string) => ({ root, worktree: workplace.id })
  if (worktree !== null) return end(worktree.path)
  const [snapshot] = await store.listSnapshots(workplace.id)
  return end(snapshot?.path ?? workplace.path ?? files.worktreePath(id))
}
