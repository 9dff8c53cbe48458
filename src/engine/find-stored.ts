/** Which of our worktrees, if any, a checkout is. */
import { AppError } from '../domain/errors.ts'
import type { Store, StoredWorktree } from '../ports/store.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

interface FindPorts {
  readonly store: Store
  readonly worktrees: Worktrees
}

/** `root` as git says it: without links, which the way to the state directory may have. */
export async function findStored(
  root: string,
  ports: FindPorts,
): Promise<StoredWorktree | undefined> {
  for (const stored of await ports.store.listWorktrees()) {
    if ((await rootOf(stored, ports.worktrees)) === root) return stored
  }
  return undefined
}

/** Where it really stands. One that is being made has no record yet: git is asked. */
async function rootOf({ record, path }: StoredWorktree, worktrees: Worktrees): Promise<string> {
  return record?.path ?? (await openOrNothing(path, worktrees))?.place.root ?? path
}

/** A directory that is no checkout, or gone, is nothing. */
export async function openOrNothing(
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
