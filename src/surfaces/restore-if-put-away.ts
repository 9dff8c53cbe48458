import { hasEnded, type Task } from '../domain/task.ts'
import { findStay } from '../engine/find-stay.ts'
import type { SurfaceContext } from './context.ts'
import { restorePorts } from './hand-in-ports.ts'

/** One that was put away is brought back: whoever goes on finds it as it was left. */
export async function restoreIfPutAway(task: Task, context: SurfaceContext): Promise<void> {
  const store = await context.holdfast.store()
  const stay = await findStay(task, store)
  // It goes on in the checkout that it was handed off to.
  if (stay.kind === 'handed_off' && stay.handOff.withSession) return
  const { id, workplace } = (stay.kind === 'handed_back' ? stay.home : task).request
  if (!hasEnded(task.state) || (await store.findWorktree(workplace.id)) !== undefined) return
  if ((await store.listSnapshots(workplace.id)).length === 0) return
  const { restoreWorktree } = await import('../engine/restore.ts')
  const { worktree, problems } = await restoreWorktree(
    workplace.id,
    null,
    await restorePorts(context),
  )
  await store.archiveTasksIn(workplace.id, null)
  context.output.tell(`${id}: its worktree was brought back: ${worktree.path}`)
  for (const problem of problems) context.output.tell(problem)
}
