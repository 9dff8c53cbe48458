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
  await files.forgetSecrets(ended.request.id)
  for (const { request, state } of await store.listTasks({ endedSince: now })) {
    if (hasEnded(state) && request.after.length > 0) await files.forgetSecrets(request.id)
  }
}
