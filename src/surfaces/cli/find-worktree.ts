/** Which worktree is meant. */
import { resolve } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { WorktreeId } from '../../domain/ids.ts'
import type { Store, StoredWorktree } from '../../ports/store.ts'
import { findCommonGitDir } from '../common-git-dir.ts'
import { requireTask } from '../find-task.ts'
import type { CommandContext } from './command.ts'

/** By its path, its id, its name in this repository, or a task that works in it. Refuses with `no_such_task`, as a task does. */
export async function requireWorktreeId(
  word: string,
  { holdfast, directory }: CommandContext,
): Promise<WorktreeId> {
  const store = await holdfast.store()
  const path = resolve(directory, word)
  const known = await store.listWorktrees()
  const found = known.find(worktree => worktree.path === path || worktree.id === word)
  const id = found?.id ?? (await findAlone(word, known, store, directory))
  return id ?? (await requireTask(store, word)).request.workplace.id
}

/** One that is not a task's own: by its name in this repository, or put away. */
async function findAlone(
  word: string,
  known: readonly StoredWorktree[],
  store: Store,
  directory: string,
): Promise<WorktreeId | undefined> {
  const commonDir = findCommonGitDir(directory)
  const { nameWorktree } = await import('../add-worktree.ts')
  const named = commonDir === undefined ? undefined : nameWorktree(word, commonDir)
  if (known.some(({ id }) => id === named)) return named
  const away = (await store.listPutAwayAlone()).map(({ worktree }) => worktree)
  return away.find(id => id === word || id === named)
}

/** One that stands. Refuses with `refused_in_state` where it was put away. */
export async function requireStanding(
  word: string,
  context: CommandContext,
): Promise<StoredWorktree> {
  const id = await requireWorktreeId(word, context)
  const found = await (await context.holdfast.store()).findWorktree(id)
  if (found !== undefined) return found
  throw new AppError('refused_in_state', `the worktree of ${word} is not there`, {
    hint: `if it was put away: holdfast restore ${word}`,
  })
}
