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
  const { store, files, clock } = ports
  const { commonDir } = plan.request.repo
  const id = makeTaskId(ports.randomBytes(16))
  reach('submission.planned')
  await files.create(id, commonDir)
  let captured = false
  try {
    const written = files.writeRequest(id, plan.prompt, plan.environment)
    const capturing = plan.takeBase(id, files.directory(id))
    const including = plan.setUp?.takeIncluded(files.directory(id)) ?? null
    const keeping = keepScripts(id, plan.setUp, files)
    // All are waited for, whichever fails, so that nothing is taken back under their hands.
    const parts = await Promise.allSettled([capturing, written, including, keeping])
    captured = parts[0].status === 'fulfilled'
    const base = requireValue(parts[0])
    requireValue(parts[1])
    const included = requireValue(parts[2])
    requireValue(parts[3])
    reach('submission.base-captured')
    const { workplace } = plainRequest(id)
    const task = await store.submitTask(
      {
        workplace,
        ...plan.request,
        id,
        base,
        setUp: makeSetUp(included, plan.setUp),
        createdAt: clock.now(),
      },
      plan.seen,
      () => files.isThere(id),
    )
    reach('submission.row-committed')
    const isNew = task.request.id === id
    if (!isNew) await takeBack(id, commonDir, captured, ports)
    return { task, isNew }
  } catch (error) {
    if ((await isKept(id, store)) === 'no') {
      // What cannot be taken back the next worker finds; this error is the one to be told.
      await takeBack(id, commonDir, captured, ports).catch(() => undefined)
    }
    throw error
  }
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
  id: TaskId,
  commonDir: string,
  captured: boolean,
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
