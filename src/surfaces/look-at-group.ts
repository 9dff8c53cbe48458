/** A group as it stands: its members, and what each has come to. */
import { AppError } from '../domain/errors.ts'
import { nameOfGroup, pickedMembers } from '../domain/group.ts'
import type { Task } from '../domain/task.ts'
import type { SurfaceContext } from './context.ts'
import { lookAtTasks, lookAtWorker } from './look.ts'
import { takeDiff } from './take-diff.ts'
import type { GroupDiffView, GroupView, TaskView } from './view.ts'

/** `members`: at least one, all of one group. */
export async function lookAtGroup(
  members: readonly Task[],
  context: SurfaceContext,
): Promise<GroupView> {
  const worker = await lookAtWorker(context)
  const tasks = await lookAtTasks(members, worker, context)
  return { ...headOf(members), tasks: [...tasks], worker }
}

function headOf(members: readonly Task[]): Pick<GroupView, 'group' | 'name' | 'picked'> {
  const group = members[0]?.request.group
  if (group == null) throw new Error('it is no group')
  const picked = pickedMembers(members).map(({ request }) => request.id)
  return { group, name: nameOfGroup(group), picked }
}

/** Of one that runs, its changes so far. */
export async function compareGroup(
  members: readonly Task[],
  context: SurfaceContext,
): Promise<GroupDiffView> {
  const store = await context.holdfast.store()
  const views = await lookAtTasks(members, await lookAtWorker(context), context)
  const tasks: GroupDiffView['tasks'] = []
  for (const [at, task] of members.entries()) {
    const view = views[at]
    if (view === undefined) throw new Error('each task has a view')
    const attempts = await store.listAttempts(task.request.id)
    tasks.push({
      ...row(view),
      ...(await countChanges(task, context)),
      workedMs: attempts.reduce((sum, { activeMs }) => sum + activeMs, 0),
    })
  }
  return { ...headOf(members), tasks }
}

function row({ id, name, agent, state, verify, usage, error }: TaskView) {
  return {
    id,
    name,
    agent,
    state,
    verify: verify?.state ?? null,
    usage,
    error: error?.code ?? null,
  }
}

async function countChanges(
  task: Task,
  context: SurfaceContext,
): Promise<Pick<GroupDiffView['tasks'][number], 'files' | 'insertions' | 'deletions'>> {
  try {
    const { files, insertions, deletions } = (await takeDiff(task, context)).counts
    return { files, insertions, deletions }
  } catch (error) {
    // Nothing was collected, or there is no worktree yet.
    if (!(error instanceof AppError)) throw error
    return { files: null, insertions: null, deletions: null }
  }
}
