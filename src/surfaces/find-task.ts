/** Which task is meant. */
import { AppError } from '../domain/errors.ts'
import { currentMembers, nameOfGroup } from '../domain/group.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Store, UnreadableTask } from '../ports/store.ts'
import { isSameCaller } from './caller.ts'
import { findCommonGitDir } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'

/** How many of the newest tasks are looked through for one of this caller. */
const LOOK_BACK = 200

/**
 * The task that a word names. Refuses with `no_such_task`, `ambiguous_task`, or `task_unreadable`
 * where its row in the store is damaged.
 */
export async function requireTask(store: Store, reference: string): Promise<Task> {
  return requireReadable(await requireNamed(store, reference))
}

/**
 * The task that a word names; without one, or for `-`, the newest of this caller, else of this
 * repository. Which one that is, is said on stderr.
 */
export async function requireTaskOrNewest(
  reference: string | undefined,
  context: SurfaceContext,
): Promise<Task> {
  return requireReadable(await requireTaskAnyhow(reference, context))
}

/** The same, for a command that has something to say of a task whose row is damaged, too. */
export async function requireTaskAnyhow(
  reference: string | undefined,
  context: SurfaceContext,
): Promise<Task | UnreadableTask> {
  const store = await context.holdfast.store()
  if (reference !== undefined && reference !== '-') {
    const found = await requireNamed(store, reference)
    if (isUnreadable(found)) context.output.tell(`holdfast: ${found.problem}`)
    return found
  }
  const newest = await findNewest(store, context)
  if (newest === undefined) {
    throw new AppError('no_such_task', 'there is no task of this caller or repository yet', {
      hint: 'name one: holdfast status --all lists them',
    })
  }
  context.output.tell(`${newest.request.id} ${newest.request.name}`)
  return newest
}

export function isUnreadable(task: Task | UnreadableTask): task is UnreadableTask {
  return 'problem' in task
}

/**
 * The tasks of the group that a word names, the newest of each line; undefined: it names none, or a
 * task of this very name that is newer. Refuses with `task_unreadable` where the rows of all are damaged.
 */
export async function findMembers(
  store: Store,
  reference: string,
): Promise<readonly Task[] | undefined> {
  const group = await store.findGroup(reference)
  if (group === undefined) return undefined
  const members = currentMembers(await store.listTasks({ group }))
  const [named] = await store.findTasksNamed(reference)
  if (named !== undefined && !isUnreadable(named)) {
    const { id, name, createdAt } = named.request
    const isMeant = id === reference || name === reference
    const isNewer = members.every(({ request }) => request.createdAt < createdAt)
    if (isMeant && isNewer) return undefined
  }
  if (members.length === 0) {
    throw new AppError(
      'task_unreadable',
      `no task of the group ${nameOfGroup(group)} can be read`,
      {
        hint: 'holdfast doctor --fix makes them anew',
      },
    )
  }
  return members
}

/** Each word names a task, or a group: then all of that are meant. */
export async function requireTasks(
  store: Store,
  references: readonly string[],
): Promise<readonly Task[]> {
  const found = new Map<TaskId, Task>()
  for (const reference of references) {
    const tasks = (await findMembers(store, reference)) ?? [await requireTask(store, reference)]
    for (const task of tasks) found.set(task.request.id, task)
  }
  return [...found.values()]
}

async function requireNamed(store: Store, reference: string): Promise<Task | UnreadableTask> {
  const members = await findMembers(store, reference)
  if (members !== undefined) {
    const names = members.map(({ request }) => request.name).join(', ')
    throw new AppError('ambiguous_task', `"${reference}" is a group of ${members.length} tasks`, {
      hint: `name one of them: ${names}; side by side: holdfast diff ${reference}`,
    })
  }
  const [found, another] = await store.findTasksNamed(reference)
  if (found === undefined) {
    throw new AppError('no_such_task', `there is no task "${reference}"`, {
      hint: 'holdfast status --all lists them',
    })
  }
  if (another !== undefined) {
    throw new AppError('ambiguous_task', `"${reference}" could be more than one task`, {
      hint: `type more of it: ${idOf(found)}, ${idOf(another)}, …`,
    })
  }
  return found
}

export function idOf(task: Task | UnreadableTask): TaskId {
  return isUnreadable(task) ? task.id : task.request.id
}

function requireReadable(task: Task | UnreadableTask): Task {
  return isUnreadable(task) ? refuseUnreadable(task) : task
}

export function refuseUnreadable(task: UnreadableTask): never {
  throw new AppError('task_unreadable', task.problem, {
    hint: `holdfast doctor --fix makes it anew; prompt, output and patch are in tasks/${task.id} of the state directory`,
  })
}

async function findNewest(store: Store, context: SurfaceContext): Promise<Task | undefined> {
  const recent = await store.listTasks({ limit: LOOK_BACK })
  const mine = recent.find(({ request }) => isSameCaller(request.caller, context.caller))
  if (mine !== undefined) return mine
  const repository = findCommonGitDir(context.directory)
  return repository === undefined ? undefined : (await store.listTasks({ repository, limit: 1 }))[0]
}
