/** Where a task's session is, and how it comes to be in another directory. */
import type { SessionId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'

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

/** From the top of one checkout to that of another; nothing is written before `carry`. */
export async function planSession(
  task: Task,
  { from, to }: { readonly from: string; readonly to: string },
  environment: Environment,
  ports: Pick<SessionPorts, 'agent'>,
): Promise<SessionFate> {
  const { session } = task
  if (session === null) return { kind: 'none' }
  const agent = await ports.agent(task.agent)
  const argv = agent.interactive?.(session) ?? null
  const { subdirectory } = task.request.repo
  const within = (root: string) => (subdirectory === '' ? root : `${root}/${subdirectory}`)
  const places = { from: within(from), to: within(to) }
  const stays = { kind: 'stays', session, directory: places.from, argv } as const
  if (agent.planSessionMove === undefined) {
    return { ...stays, why: `${agent.name} binds a session to the directory that it was begun in` }
  }
  const plan = await agent.planSessionMove({ session, ...places }, environment)
  if (plan.kind === 'stays') return { ...stays, why: plan.why }
  return { kind: 'moves', session, directory: places.to, argv, carry: () => plan.carry() }
}

/** The worktree of a task: where it stands, or stood before it was put away. */
export async function worktreePath(
  { request: { id, workplace }, worktree }: Task,
  { store, files }: Pick<SessionPorts, 'store' | 'files'>,
): Promise<string> {
  if (worktree !== null) return worktree.path
  const [snapshot] = await store.listSnapshots(workplace.id)
  return snapshot?.path ?? workplace.path ?? files.worktreePath(id)
}
