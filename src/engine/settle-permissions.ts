/** How much the agent of a task may do, and who holds it to that; settled before anything is made. */
import { AppError } from '../domain/errors.ts'
import { type PermissionMode, type Permissions, stricterMode } from '../domain/permissions.ts'
import type { Task } from '../domain/task.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Confinement } from '../ports/confinement.ts'

/** Who may do what: for a task that another task's agent hands in, no more than that one may. */
interface PermissionWish {
  /** Null: nobody said, which is `workspace`. */
  readonly asked: PermissionMode | null
  readonly parent: Task | undefined
  /** It is to ask a person before it edits or runs anything. Absent: it is not. */
  readonly asks?: boolean
}

/**
 * An agent that confines itself says what that comes to; around any other the system's confinement
 * is put, as strict as the user's own configuration of the agent is. What is asked is never widened, nor held by nobody: refuses with `permissions_unavailable`.
 */
export async function settlePermissions(
  agent: Agent,
  { asked, parent, asks = false }: PermissionWish,
  environment: Environment,
  confinement: Confinement,
): Promise<Permissions> {
  const limit = parent?.request.permissions.effective ?? 'full'
  const wanted = asked ?? stricterMode('workspace', limit)
  if (stricterMode(wanted, limit) !== wanted) {
    throw new AppError(
      'permissions_unavailable',
      `the task ${parent?.request.id} that asks may do no more than ${limit}, and can give no more`,
      { hint: `--permissions ${limit}, or hand it in yourself` },
    )
  }
  const own = await agent.settlePermissions?.(wanted, environment)
  if (own !== undefined && !(asks && agent.asksBeyondItsConfinement)) return own
  const configured = own?.effective ?? (await agent.configuredMode?.(environment)) ?? wanted
  const effective = stricterMode(wanted, configured)
  if (effective === 'full') return { asked: wanted, effective, enforcedBy: 'none' }
  await confinement.requireWorking()
  return { asked: wanted, effective, enforcedBy: 'system' }
}

/**
 * How the agent that is at work in a task is held, and whatever it has written: as was settled when
 * the task was handed in, or anew for whoever took over, who may be held otherwise. Never wider than
 * the task is; refuses as `settlePermissions` does.
 */
export async function settleHeld(
  { request, fallbacks }: Pick<Task, 'request' | 'fallbacks'>,
  agent: Agent,
  environment: Environment,
  confinement: Confinement,
): Promise<Permissions> {
  if (fallbacks === 0) return request.permissions
  const wish = { asked: request.permissions.effective, parent: undefined, asks: request.asks }
  return await settlePermissions(agent, wish, environment, confinement)
}
