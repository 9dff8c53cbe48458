/** Ends tasks, with every process that they started. */
import { reach } from '../domain/crash-points.ts'
import { descendantsOf } from '../domain/delegation.ts'
import { AppError } from '../domain/errors.ts'
import { asFence, type TaskId } from '../domain/ids.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { forgetSecrets } from '../engine/forget-secrets.ts'
import type { Store } from '../ports/store.ts'
import type { SurfaceContext } from './context.ts'
import { requireTasks } from './find-task.ts'
import { ringOrTell } from './look.ts'
import { waitForTasks } from './wait-for.ts'

/** An agent is given 2 s to end in order, then it is made to; the work so far is collected. */
export const END_LIMIT_MS = 30_000

interface EndWish {
  /** Also the tasks that these have delegated. */
  readonly tree: boolean
  /** Their processes are gone: said of a machine or container that no longer is. */
  readonly lost: boolean
}

/** Those whose end was asked for, durably; and for each that had ended already, a refusal. */
export async function askForEnds(
  tasks: readonly Task[],
  { tree, lost }: EndWish,
  context: SurfaceContext,
): Promise<{ readonly going: readonly TaskId[]; readonly refusals: readonly AppError[] }> {
  const store = await context.holdfast.store()
  const going: TaskId[] = []
  const refusals: AppError[] = []
  const end = async (task: Task) => {
    const isGoing = await askForEnd(task, context)
    if (lost) await declareLost(task, context)
    if (isGoing) going.push(task.request.id)
    return isGoing
  }
  for (const task of tasks) {
    let ended = await end(task)
    // The outer one is cancelled first; whom it still hands in meanwhile is found by another look.
    for (let more = tree; more; ) {
      const open = await openBelow(task, store)
      for (const inner of open) ended = (await end(inner)) || ended
      more = open.length > 0
    }
    if (!ended) refusals.push(hasEndedAlready(task))
  }
  return { going, refusals }
}

/** Makes sure that a worker is up to end them, and stays until they have, or the limit is over. */
export async function awaitEnds(going: readonly TaskId[], context: SurfaceContext) {
  const store = await context.holdfast.store()
  // A task that was queued has ended with the asking: a worker is needed only to tell of it.
  const isLeft = (await store.countTasks(['cancelling'])) > 0
  if (isLeft || (await store.listOwed()).length > 0) await ringOrTell(context)
  reach('cancel.rung')
  return await waitForTasks(going, { timeoutMs: END_LIMIT_MS }, context)
}

/**
 * The newest first, like a list: what waits for another is cancelled before it would fail with it. Of
 * a group those that have not ended, if there are any.
 */
export async function findNamed(words: readonly string[], store: Store): Promise<readonly Task[]> {
  const named = new Map<TaskId, Task>()
  for (const word of words) {
    const tasks = await requireTasks(store, [word])
    const open = tasks.filter(({ state }) => !hasEnded(state))
    for (const task of open.length > 0 ? open : tasks) named.set(task.request.id, task)
  }
  return [...named.values()].sort((a, b) => b.request.createdAt - a.request.createdAt)
}

/** Those that have not ended, and whose end was not asked for yet. */
export async function listOpen(store: Store): Promise<readonly Task[]> {
  return await store.listTasks({
    states: ['queued', 'waiting', 'starting', 'running', 'needs_input'],
  })
}

async function openBelow({ request }: Task, store: Store): Promise<readonly Task[]> {
  const root = request.delegation?.root ?? request.id
  const below = descendantsOf(request.id, await store.listTasks({ root }))
  return below.filter(({ state }) => !hasEnded(state) && state.name !== 'cancelling')
}

/** Only where nobody can look: what can be seen is ended by us, and not by a word. */
async function declareLost(
  { request, attempts }: Task,
  { holdfast, output }: SurfaceContext,
): Promise<void> {
  const files = await holdfast.files()
  const fence = asFence(attempts)
  const attempt = {
    task: request.id,
    fence,
    runDirectory: files.runDirectory(request.id, fence),
    worktree: null,
  }
  if ((await holdfast.host()).declareGone(attempt)) return
  output.tell(`${request.id}: --lost says nothing here, its processes can be looked for`)
}

/** False: it has already ended. */
async function askForEnd(task: Task, { holdfast, now }: SurfaceContext): Promise<boolean> {
  const store = await holdfast.store()
  const { id } = task.request
  const at = now()
  const after = await store.transition(id, null, { kind: 'cancel_requested' }, at)
  reach('cancel.requested')
  if (after !== undefined && hasEnded(after.state)) {
    await forgetSecrets(after, at, { store, files: await holdfast.files() })
    reach('cancel.environment-forgotten')
  }
  return after !== undefined
}

function hasEndedAlready({ request: { id }, state }: Task): AppError {
  const how = hasEnded(state) ? `: it is ${state.name}` : ''
  return new AppError('already_ended', `${id} has already ended${how}`, {
    hint: `holdfast result ${id}`,
  })
}
