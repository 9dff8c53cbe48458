/** Which checkout a result is meant for. What is unclear is asked for, never guessed. */
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

export interface TargetWish {
  /** What the user named; null: nothing. */
  readonly to: string | null
  /** Where the caller stands. */
  readonly directory: string
  /** The task that asks, if it is one: its own worktree is its to write to. */
  readonly callerTask: TaskId | null
}

export interface TargetPorts {
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
  const target = await findTarget(task, wish, ports.worktrees)
  const { root } = target.place
  const stored = (await ports.store.listWorktrees()).find(({ path }) => path === root)
  if (stored === undefined) return target
  if (stored.leasedTo !== null && stored.leasedTo !== wish.callerTask) {
    throw new AppError('leased', `${root} is in use by ${stored.leasedTo}`, {
      hint: `wait for it, or name another checkout: holdfast apply ${task.request.id} --to DIR`,
    })
  }
  if (isOwnWorktree(task, root)) {
    throw new AppError('refused_in_state', `${root} is where ${task.request.id} did its work`, {
      hint: `name your own checkout: holdfast apply ${task.request.id} --to DIR`,
    })
  }
  return target
}

async function findTarget(
  task: Task,
  { to, directory }: TargetWish,
  worktrees: Worktrees,
): Promise<Checkout> {
  if (to !== null) return await worktrees.openCheckout(to)
  const { id, repo } = task.request
  const isOfTask = ({ place }: Checkout) =>
    place.commonDir === repo.commonDir && !isOwnWorktree(task, place.root)
  const here = await openOrNothing(directory, worktrees)
  if (here !== undefined && isOfTask(here)) return here
  const origin = await openOrNothing(repo.root, worktrees)
  if (origin !== undefined && isOfTask(origin)) return origin
  throw new AppError('refused_in_state', `${repo.root}, where ${id} was asked, is gone`, {
    hint: `name a checkout: holdfast apply ${id} --to DIR`,
  })
}

/** A directory that is no checkout, or gone, is not the one that is meant. */
async function openOrNothing(
  directory: string,
  worktrees: Worktrees,
): Promise<Checkout | undefined> {
  try {
    return await worktrees.openCheckout(directory)
  } catch (error) {
    if (error instanceof AppError) return undefined
    throw error
  }
}

/** A borrowed one is the user's. */
function isOwnWorktree({ worktree }: Task, root: string): boolean {
  return worktree !== null && worktree.kind !== 'borrowed' && worktree.path === root
}
