/** Tasks that hand in tasks: bounded, so that an agent that delegates without end fills no machine. */
import { AppError } from './errors.ts'
import type { TaskId } from './ids.ts'
import type { Task } from './task.ts'

/** How many levels of delegation there may be below a task that people handed in. */
const DEEPEST_DELEGATION = 3
/** How many tasks may be delegated below one such task in all, ended ones too. */
export const MOST_DELEGATED = 50

/** A task that was handed in by another task's agent. */
export interface Delegation {
  readonly parent: TaskId
  /** The task at the top, which people or programs handed in. */
  readonly root: TaskId
  /** 1 for a task of the topmost one. */
  readonly depth: number
}

/** Refuses with `delegation_limit`. */
export function delegationBy({ request }: Task): Delegation {
  const depth = (request.delegation?.depth ?? 0) + 1
  if (depth > DEEPEST_DELEGATION) {
    throw new AppError(
      'delegation_limit',
      `task ${request.id} was delegated over ${DEEPEST_DELEGATION} levels, and may not delegate`,
      { hint: 'do it in this task' },
    )
  }
  return { parent: request.id, root: request.delegation?.root ?? request.id, depth }
}

/** Those among `tasks` that were delegated by one of them, directly or through others. */
export function descendantsOf(id: TaskId, tasks: readonly Task[]): readonly Task[] {
  const children = tasks.filter(({ request }) => request.delegation?.parent === id)
  return children.flatMap(child => [child, ...descendantsOf(child.request.id, tasks)])
}
