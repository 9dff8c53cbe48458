/** Which checkout a result is meant for. What is unclear is asked for, never guessed. */
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Store, StoredWorktree } from '../ports/store.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'
import { findStored, openOrNothing } from './find-stored.ts'

interface TargetWish {
  /** What the user named; null: nothing. */
  readonly to: string | null
  /** Where the caller stands. */
  readonly directory: string
  /** The task that asks, if it is one: its own worktree is its to write to. */
  readonly callerTask: TaskId | null
}

interface TargetPorts {
  readonly store: Store
  readonly worktrees: Worktrees
}

/**
 * The named checkout; else the one that the caller stands in, if it is of the task's repository;
 * else the one that the task was asked in. Refuses a worktree that another task works in.
 */
export async function chooseTarget(
  task: Task,
  wish: TargetWish,
  ports: TargetPorts,
): Promise<Checkout> {
  const target = await findTarget(task, wish, ports)
  const { root } = target.place
  const stored = await findStored(root, ports)
  if (stored === undefined) return target
  if (stored.leasedTo !== null && stored.leasedTo !== wish.callerTask) {
    throw new AppError('leased', `${root} is in use by ${stored.leasedTo}`, {
      hint: `wait for it, or name another checkout: holdfast apply ${task.request.id} --to DIR`,
    })
  }
  if (isOwnWorktree(task, stored)) {
    throw new AppError('refused_in_state', `${root} is where ${task.request.id} did its work`, {
      hint: `name your own checkout: holdfast apply ${task.request.id} --to DIR`,
    })
  }
  return target
}

async function findTarget(
  task: Task,
  { to, directory }: TargetWish,
  ports: TargetPorts,
): Promise<Checkout> {
  const { worktrees } = ports
  if (to !== null) return await worktrees.openCheckout(to)
  const { id, repo } = task.request
  const isOfTask = async ({ place }: Checkout) =>
    place.commonDir === repo.commonDir && !isOwnWorktree(task, await findStored(place.root, ports))
  const here = await openOrNothing(directory, worktrees)
  if (here !== undefined && (await isOfTask(here))) return here
  const asked = `${repo.root}, where ${id} was asked,`
  const hint = `name a checkout: holdfast apply ${id} --to DIR`
  let origin: Checkout
  try {
    origin = await worktrees.openCheckout(repo.root)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    // Gone, or there, and something keeps git from it.
    const problem = `${asked} cannot be used: ${error.message}`
    throw new AppError('refused_in_state', problem, { hint, cause: error })
  }
  if (await isOfTask(origin)) return origin
  const isOurs = origin.place.commonDir === repo.commonDir
  const why = isOurs ? 'is where it did its work' : 'is of another repository by now'
  throw new AppError('refused_in_state', `${asked} ${why}`, { hint })
}

/** A borrowed one is the user's. */
function isOwnWorktree({ worktree }: Task, stored: StoredWorktree | undefined): boolean {
  return worktree !== null && worktree.kind !== 'borrowed' && worktree.id === stored?.id
}
