/**
 * Hands a planned task in: in this order the task directory, the base, the row. Whatever is visible
 * is whole, and a failure in between takes back what was made.
 */
import { reach } from '../domain/crash-points.ts'
import { makeTaskId, type TaskId } from '../domain/ids.ts'
import type { IncludedFiles, SetUp } from '../domain/set-up.ts'
import { type Base, plainRequest, type Task, type TaskRequest } from '../domain/task.ts'
import type { Environment } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { SeenWorktree, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import type { SetUpPlan } from './plan-set-up.ts'

/** A task that nothing speaks against; only the planners beside this file make one. */
export interface HandInPlan {
  /** Byte for byte; empty for the agent `command`. */
  readonly prompt: Uint8Array
  readonly environment: Environment
  /** All but what is known once it is handed in. Without a workplace it gets a worktree of its own. */
  readonly request: Omit<TaskRequest, 'id' | 'base' | 'setUp' | 'createdAt' | 'workplace'> &
    Partial<Pick<TaskRequest, 'workplace'>>
  /** How the worktree looks, if it is not made for this task alone. */
  readonly seen?: SeenWorktree
  /** Null: its worktree needs none, or is there already. */
  readonly setUp: SetUpPlan | null
  /** Takes the base and holds it under the task's id; `scratch` is a private directory. */
  readonly takeBase: (id: TaskId, scratch: string) => Promise<Base>
  /** Writes the prompt once the base is known, in the place of `prompt`. May still refuse. */
  readonly promptFor?: (base: Base) => Promise<Uint8Array>
}

export interface HandInPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
  readonly randomBytes: (count: number) => Uint8Array
}

/**
 * The task as it was handed in, durable when this returns; or (not new) the one that was handed in
 * before under the same idempotency key. The worker is yet to be told.
 */
export async function handIn(
  plan: HandInPlan,
  ports: HandInPorts,
): Promise<{ readonly task: Task; readonly isNew: boolean }> {
  const { store, files } = ports
  const submit = async ([request]: readonly TaskRequest[]) => {
    if (request === undefined) throw new Error('one task was prepared')
    return [await store.submitTask(request, plan.seen, () => files.isThere(request.id))]
  }
  const { tasks, isNew } = await handInAll([plan], submit, ports)
  const [task] = tasks
  if (task === undefined) throw new Error('one task was handed in')
  return { task, isNew }
}

/**
 * The tasks of a group, all of them or none, on one base: the first one's, which is captured once and
 * held for each. Durable when this returns; or (not new) the group that was handed in before.
 */
export async function handInGroup(
  plans: readonly HandInPlan[],
  ports: HandInPorts,
): Promise<{ readonly tasks: readonly Task[]; readonly isNew: boolean }> {
  const { store, files } = ports
  const submit = (requests: readonly TaskRequest[]) =>
    store.submitGroup(requests, id => files.isThere(id))
  return await handInAll(plans, submit, ports)
}

/** A task of which something is on the disk, and no row yet. */
interface Begun {
  readonly id: TaskId
  readonly commonDir: string
  captured: boolean
}

async function handInAll(
  plans: readonly HandInPlan[],
  submit: (requests: readonly TaskRequest[]) => Promise<readonly Task[]>,
  ports: HandInPorts,
): Promise<{ readonly tasks: readonly Task[]; readonly isNew: boolean }> {
  const { store } = ports
  const begun: Begun[] = []
  reach('submission.planned')
  try {
    const requests: TaskRequest[] = []
    for (const plan of plans) {
      requests.push(await prepare(plan, requests[0]?.base ?? null, begun, ports))
    }
    const tasks = await submit(requests)
    reach('submission.row-committed')
    const isNew = tasks.some(({ request }) => request.id === requests[0]?.id)
    if (!isNew) for (const one of begun) await takeBack(one, ports)
    return { tasks, isNew }
  } catch (error) {
    for (const one of begun) {
      if ((await isKept(one.id, store)) !== 'no') continue
      // What cannot be taken back the next worker finds; this error is the one to be told.
      await takeBack(one, ports).catch(() => undefined)
    }
    throw error
  }
}

/** Its directory and its base are there when this returns. `base`: the one that it shares; null: its own. */
async function prepare(
  plan: HandInPlan,
  shared: Base | null,
  begun: Begun[],
  { files, worktrees, clock, randomBytes }: HandInPorts,
): Promise<TaskRequest> {
  const { commonDir } = plan.request.repo
  const id = makeTaskId(randomBytes(16))
  await files.create(id, commonDir)
  const one: Begun = { id, commonDir, captured: false }
  begun.push(one)
  const capturing =
    shared === null
      ? plan.takeBase(id, files.directory(id))
      : holdShared(id, commonDir, shared, worktrees)
  const written = writeRequest(id, plan, capturing, files)
  const including = plan.setUp?.takeIncluded(files.directory(id)) ?? null
  const keeping = keepScripts(id, plan.setUp, files)
  // All are waited for, whichever fails, so that nothing is taken back under their hands.
  const parts = await Promise.allSettled([capturing, written, including, keeping])
  one.captured = parts[0].status === 'fulfilled'
  const base = requireValue(parts[0])
  requireValue(parts[1])
  const included = requireValue(parts[2])
  requireValue(parts[3])
  reach('submission.base-captured')
  const { workplace } = plainRequest(id)
  const setUp = makeSetUp(included, plan.setUp)
  return { workplace, ...plan.request, id, base, setUp, createdAt: clock.now() }
}

async function holdShared(
  id: TaskId,
  commonDir: string,
  base: Base,
  worktrees: Worktrees,
): Promise<Base> {
  await worktrees.holdBase(commonDir, id, base)
  reach('base.held')
  return base
}

async function writeRequest(
  id: TaskId,
  { prompt, promptFor, environment }: HandInPlan,
  capturing: Promise<Base>,
  files: TaskFiles,
): Promise<void> {
  const written = promptFor === undefined ? prompt : await promptFor(await capturing)
  await files.writeRequest(id, written, environment)
}

async function keepScripts(task: TaskId, plan: SetUpPlan | null, files: TaskFiles): Promise<void> {
  await files.writeScripts(task, 'set-up', plan?.commands['set-up']?.scripts ?? [])
  await files.writeScripts(task, 'clean-up', plan?.commands['clean-up']?.scripts ?? [])
}

/** Null: there is nothing in it. */
function makeSetUp(included: IncludedFiles | null, plan: SetUpPlan | null): SetUp | null {
  if (plan === null) return null
  const { commands, directories } = plan
  const command = commands['set-up']?.command ?? null
  const cleanUp = commands['clean-up']?.command ?? null
  const isEmpty = included === null && command === null && cleanUp === null
  if (isEmpty && directories.length === 0) return null
  return {
    included,
    command,
    ...(cleanUp === null ? {} : { cleanUp }),
    ...(directories.length === 0 ? {} : { directories }),
  }
}

function requireValue<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}

async function takeBack(
  { id, commonDir, captured }: Begun,
  { worktrees, files }: HandInPorts,
): Promise<void> {
  try {
    await worktrees.dropBase(commonDir, id)
  } catch (error) {
    // Where it could not be held, it can hardly be dropped: submodules went first, either time.
    if (captured) throw error
  }
  await files.remove(id)
  reach('refusal.directory-removed')
}

/** Whether a submission that failed is in the store all the same. What is unsure is left alone. */
async function isKept(id: TaskId, store: Store): Promise<'yes' | 'no' | 'unknown'> {
  try {
    return (await store.findTask(id)) === undefined ? 'no' : 'yes'
  } catch {
    // The store fails just now, perhaps right after its commit. If there is no row after all, the
    // next worker finds the leftovers.
    return 'unknown'
  }
}
