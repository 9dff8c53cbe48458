import { hasEnded, type Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'

/**
 * A task that has ended, at `now`, needs no secrets any more; nor do those that waited for it, and
 * may have ended with it.
 */
export async function forgetSecrets(
  ended: Task,
  now: number,
  { store, files }: { readonly store: Store; readonly files: TaskFiles },
): Promise<void> {
  await forgetSnapshots(ended, files)
  await files.forgetSecrets(ended.request.id)
  for (const { request, state } of await store.listTasks({ endedSince: now })) {
    if (hasEnded(state) && request.after.length > 0) await files.forgetSecrets(request.id)
  }
}

/** What was kept aside while it ran, but for the newest where nothing was collected. */
export async function forgetSnapshots({ request, state, snapshot }: Task, files: TaskFiles) {
  if (!hasEnded(state)) return
  // Where neither is known, what lies there may be all that there is.
  const isNeedless = snapshot !== null || state.result?.commit != null
  if (isNeedless) await files.removeRunningSnapshots(request.id, snapshot)
}
