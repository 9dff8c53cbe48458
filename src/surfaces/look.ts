/** Tasks as they stand at this moment, for the commands that show them. */

import { diskWarning, totalOf } from '../domain/disk-budget.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { type GroupId, pickedMembers } from '../domain/group.ts'
import type { WorktreeId } from '../domain/ids.ts'
import { activeStates, isActive, type Task } from '../domain/task.ts'
import { type JudgedState, judgeNow } from '../engine/judge-now.ts'
import type { Store } from '../ports/store.ts'
import type { SurfaceContext } from './context.ts'
import { type Picked, viewTask, viewWorker } from './make-view.ts'
import type { DiskView, TaskView, WorkerView } from './view.ts'

/**
 * Shows whether a worker is up. Where there is none but work for one, it is started, and not
 * waited for: what is shown meanwhile is judged from the processes and files themselves.
 */
export async function lookAtWorker(context: SurfaceContext): Promise<WorkerView> {
  const store = await context.holdfast.store()
  const info = (await context.holdfast.presence()).look()
  const active = await store.countTasks(activeStates)
  if (info === undefined && (active > 0 || (await isWorkLeft(store)))) await ringOrTell(context)
  const view = viewWorker(info, active)
  if (view.state === 'silent') {
    context.output.tell(`holdfast: the worker (pid ${view.pid}) shows no sign of life`)
    context.output.tell(
      `  what follows is as it looks now; another takes over after: kill -9 ${view.pid}`,
    )
  }
  return view
}

async function isWorkLeft(store: Store): Promise<boolean> {
  const waiting = await store.countTasks(['queued', 'waiting'])
  return waiting > 0 || (await store.listOwed()).length > 0
}

/** The tasks as they stand now, given whether a worker keeps their rows true. */
export async function lookAtTasks(
  tasks: readonly Task[],
  worker: WorkerView,
  context: SurfaceContext,
): Promise<readonly TaskView[]> {
  const workerIsUp = worker.state === 'running'
  const judge = await makeJudge(!workerIsUp && tasks.some(({ state }) => isActive(state)), context)
  const picked = await findPicked(tasks, context)
  return tasks.map(task => viewTask(task, judge(task), picked))
}

/** Of each group that one of them is of. */
async function findPicked(tasks: readonly Task[], { holdfast }: SurfaceContext): Promise<Picked> {
  const found = new Map<GroupId, ReadonlySet<WorktreeId>>()
  for (const group of new Set(tasks.flatMap(({ request }) => request.group ?? []))) {
    const picked = pickedMembers(await (await holdfast.store()).listTasks({ group }))
    found.set(group, new Set(picked.map(({ request }) => request.workplace.id)))
  }
  return found
}

/** One task, for a command that shows just that. */
export async function lookAtTask(task: Task, context: SurfaceContext): Promise<TaskView> {
  const [view] = await lookAtTasks([task], await lookAtWorker(context), context)
  if (view === undefined) throw new Error('a task has a view')
  return view
}

/** The processes are looked at, and the code for it loaded, only where a row may be out of date. */
async function makeJudge(
  inDoubt: boolean,
  { holdfast, now }: SurfaceContext,
): Promise<(task: Task) => JudgedState> {
  if (!inDoubt) return ({ state }) => ({ name: state.name, asOf: now(), remark: null })
  const ports = { host: await holdfast.host(), files: await holdfast.files() }
  return task => judgeNow(task, now(), ports)
}

/**
 * The task is safe in the store whether or not a worker can be started: that is only told. False:
 * it could not.
 */
export async function ringOrTell({ holdfast, output }: SurfaceContext): Promise<boolean> {
  // From where nothing can be written, whoever can has to.
  if ((await holdfast.store()).isReadOnly) return false
  try {
    await (await holdfast.presence()).ring()
    return true
  } catch (error) {
    const hint = (error instanceof AppError && error.hint) || 'start one: holdfast worker start'
    output.tell(`holdfast: no worker could be started: ${messageOf(error)}`)
    output.tell(`  what is handed in waits for one; ${hint}`)
    return false
  }
}

/** Nothing is measured for this: the worker wrote down what it found, and the disk says what is free. */
export async function lookAtDisk({ holdfast }: SurfaceContext): Promise<DiskView> {
  const disk = await holdfast.disk()
  const recorded = disk.loadUse()
  const { freeBytes, totalBytes } = disk.space()
  const usedBytes = recorded === undefined ? null : totalOf(recorded.use)
  const budgetBytes = recorded?.budgetBytes ?? null
  return {
    usedBytes,
    budgetBytes,
    measuredAt: recorded === undefined ? null : new Date(recorded.measuredAt).toISOString(),
    freeBytes,
    totalBytes,
    warning: diskWarning(usedBytes, budgetBytes, { freeBytes, totalBytes }),
  }
}
