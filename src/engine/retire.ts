/**
 * Takes a worktree away. Only one that no task claims, and only what is proven to be in the
 * collected result; then it is renamed, its registration removed by name, and unlinked.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import { type CommitId, type WorktreeId, worktreeIdOf } from '../domain/ids.ts'
import { hasEnded, type Task, type WorktreeKind } from '../domain/task.ts'
import type { Store, StoredWorktree } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { UnleasedWorktree, Worktrees } from '../ports/worktrees.ts'

interface RetirePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
}

/**
 * `collected`: the commit that its work was collected as; null where no agent ever ran in it.
 * Refuses with `leased` while a task claims it, and with `work_left`, naming it, if anything in it
 * is not in the collected commit. In one that was never finished no agent ran. `kinds`: which may go.
 */
export async function retireWorktree(
  id: WorktreeId,
  collected: CommitId | null,
  { store, files, worktrees }: RetirePorts,
  kinds: readonly WorktreeKind[] = ['managed'],
): Promise<void> {
  const { record, path, commonDir } = await requireUnleased(id, kinds, store)
  const worktree = record as UnleasedWorktree | null
  if (worktree === null) await worktrees.discardWorktree(id, path, commonDir)
  else {
    await worktrees.removeWorktree(worktree, collected, files.trash(), files.setUpTime(id))
  }
  // Asked again in the same statement that forgets it: nobody can have leased it meanwhile unseen.
  if (!(await store.forgetWorktree(id))) throw leased(id)
  reach('retire.forgotten')
  await files.clearSetUpMark(id)
}

/** Whether the task has ended, and nothing was ever launched in the worktree made for it alone. */
export function isUnused({ request, state }: Task, files: TaskFiles): boolean {
  const { id, workplace } = request
  const isOwn = workplace.kind === 'managed' && workplace.id === worktreeIdOf(id)
  return isOwn && hasEnded(state) && !files.hasRuns(id)
}

/** Retires the worktree of such a task. If something is in it all the same, it stays. */
export async function retireUnused({ request }: Task, ports: RetirePorts): Promise<void> {
  try {
    await retireWorktree(request.workplace.id, null, ports)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
  }
}

/** Refuses with `no_such_task`, `leased`, or `refused_in_state` where it is of another kind. */
export async function requireUnleased(
  id: WorktreeId,
  kinds: readonly WorktreeKind[],
  store: Store,
): Promise<StoredWorktree> {
  const stored = await store.findWorktree(id)
  if (stored === undefined) throw new AppError('no_such_task', `there is no worktree ${id}`)
  if (stored.leasedTo !== null) throw leased(id)
  if (!kinds.includes(stored.kind)) {
    const whose = stored.kind === 'borrowed' ? "the user's own checkout" : 'kept by its name'
    throw new AppError('refused_in_state', `the worktree ${id} is ${whose}: it is never taken away`)
  }
  return stored
}

function leased(id: WorktreeId): AppError {
  return new AppError('leased', `the worktree ${id} is in use by a task`, {
    hint: 'wait for it, or cancel it',
  })
}
