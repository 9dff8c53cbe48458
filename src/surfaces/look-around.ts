/** All that a caller may want to see at once. */
import { activeStates, hasEnded, type Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import { parseCallerFilter } from './caller.ts'
import { findCommonGitDir } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'
import { lookAtDisk, lookAtTasks, lookAtWorker } from './look.ts'
import { viewUnreadable } from './make-view.ts'
import type { StatusView, UnreadableView } from './view.ts'

/** What has ended is shown for a day, the newest twenty. */
const ENDED_FOR_MS = 24 * 3_600_000
const ENDED_COUNT = 20

/** Which tasks are meant. */
export interface Selection {
  readonly all?: boolean | undefined
  readonly active?: boolean | undefined
  readonly agent?: string | undefined
  /** `KIND` or `KIND:ID`. */
  readonly caller?: string | undefined
}

export async function lookAround(
  selection: Selection,
  context: SurfaceContext,
): Promise<StatusView> {
  // A name that no agent has would pass for one that has no task.
  if (selection.agent !== undefined) await context.holdfast.agent(selection.agent)
  const store = await context.holdfast.store()
  const worker = await lookAtWorker(context)
  const tasks = await lookAtTasks(await selectTasks(store, selection, context), worker, context)
  const unreadable = await viewUnreadableTasks(store, context)
  return { tasks: [...tasks], unreadable: [...unreadable], worker, disk: await lookAtDisk(context) }
}

/** Rows that were met among the others, and are damaged. */
async function viewUnreadableTasks(
  store: Store,
  { holdfast }: SurfaceContext,
): Promise<readonly UnreadableView[]> {
  const met = store.unreadable()
  if (met.length === 0) return []
  const files = await holdfast.files()
  return met.map(task => viewUnreadable(task, files.directory(task.id)))
}

/**
 * By default: what needs somebody, what is under way, then the newest that have ended; of each,
 * those of the repository that the caller stands in come first.
 */
async function selectTasks(
  store: Store,
  selection: Selection,
  context: SurfaceContext,
): Promise<readonly Task[]> {
  const asked = selection.caller === undefined ? () => true : parseCallerFilter(selection.caller)
  const isWanted = ({ agent, request }: Task) =>
    (selection.agent === undefined || agent === selection.agent) && asked(request.caller)
  if (selection.all === true) return (await store.listTasks({})).filter(isWanted)
  const open = await store.listTasks({ states: [...activeStates, 'queued', 'waiting'] })
  const ended =
    selection.active === true
      ? []
      : await store.listTasks({
          endedSince: context.now() - ENDED_FOR_MS,
          // The store does not choose by agent or caller: which twenty those are is known once all are read.
          ...(selection.agent === undefined && selection.caller === undefined
            ? { limit: ENDED_COUNT }
            : {}),
        })
  const here = findCommonGitDir(context.directory)
  const rank = ({ state, request }: Task) =>
    (state.name === 'needs_input' ? 0 : hasEnded(state) ? 4 : 2) +
    (request.repo.commonDir === here ? 0 : 1)
  const listed = ended.filter(task => isWanted(task) && task.archivedAt === null)
  const shown = [...open.filter(isWanted), ...listed.slice(0, ENDED_COUNT)]
  return shown.sort((a, b) => rank(a) - rank(b))
}
