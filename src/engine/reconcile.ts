/**
 * Brings disk and store back together after a death between two writes. A submission that was
 * killed leaves a task directory, with an environment in it, and a ref, and no row; a worker that
 * was killed right after a task's end leaves the environment, or a worktree in which nothing ever
 * ran. Whoever was killed while making a worktree without a task leaves copies of ignored files.
 * Whatever else has a row is left alone.
 */
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import { parseTaskId, type WorktreeId } from '../domain/ids.ts'
import { endedStates, type Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/lock.ts'
import type { Store } from '../ports/store.ts'
import type { TaskDirectory, TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { forgetSnapshots } from './forget-secrets.ts'
import { isUnused, retireUnused } from './retire.ts'
import { isRowTrouble } from './trouble.ts'
import { isOnItsWay, tryAlone } from './worktree-lock.ts'

interface ReconcilePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly locks: Locks
  readonly clock: Clock
}

/** A submission takes seconds at most, even of a large working tree. */
const ABANDONED_MS = 15 * 60_000

/** What is out of step; nothing is changed. */
export type Leftover =
  | { readonly kind: 'abandoned_submission'; readonly directory: TaskDirectory }
  | { readonly kind: 'environment_of_ended_task'; readonly directory: TaskDirectory }
  | { readonly kind: 'unused_worktree'; readonly task: Task }
  | { readonly kind: 'abandoned_addition'; readonly worktree: WorktreeId }

export async function findLeftovers({
  store,
  files,
  locks,
  clock,
}: Omit<ReconcilePorts, 'worktrees'>): Promise<readonly Leftover[]> {
  const found: Leftover[] = []
  for (const directory of await files.list()) {
    const isOld = clock.now() - directory.madeAt > ABANDONED_MS
    // Most are of tasks that ran and have long ended: those need no look at the store.
    if (!directory.hasEnvironment && (directory.hasRuns || !isOld)) continue
    const row = await store.findRemains(directory.task)
    if (row === undefined) {
      // One that was handed in had a row: the store has lost it, which is for `doctor` to mend.
      const wasTask = directory.wasHandedIn || directory.hasRuns
      if (isOld && !wasTask) found.push({ kind: 'abandoned_submission', directory })
    } else if (directory.hasEnvironment && endedStates.some(name => name === row.state)) {
      found.push({ kind: 'environment_of_ended_task', directory })
    }
  }
  for (const { id, leasedTo } of await store.listWorktrees()) {
    // One that is made for a task alone bears its id.
    const owner = parseTaskId(id)
    if (leasedTo !== null || owner === undefined || files.hasRuns(owner)) continue
    const task = await store.findTask(owner).catch(unlessRowTrouble)
    if (task === undefined || task === 'damaged' || !isUnused(task, files)) continue
    found.push({ kind: 'unused_worktree', task })
  }
  for (const { worktree, isAdding } of await files.listLone()) {
    // Whoever makes it has that lock, and is at work.
    if (isOnItsWay(worktree, { locks })) continue
    if (isAdding || (await store.findWorktree(worktree)) === undefined) {
      found.push({ kind: 'abandoned_addition', worktree })
    }
  }
  return found
}

function unlessRowTrouble(error: unknown): 'damaged' {
  if (!isRowTrouble(error)) throw error
  return 'damaged'
}

/** Clears the leftovers away; gives what it did, a line each. */
export async function reconcile(ports: ReconcilePorts): Promise<readonly string[]> {
  const done: string[] = []
  for (const leftover of await findLeftovers(ports)) {
    const line = `${leftover.kind.replaceAll('_', ' ')} ${ownerOf(leftover)}`
    try {
      await clearAway(leftover, ports)
      done.push(line)
    } catch (error) {
      // The repository is locked, or gone: what is left says where the rest is, and stays.
      done.push(`${line} stays: ${messageOf(error)}`)
    }
  }
  return done
}

function ownerOf(leftover: Leftover): string {
  if ('worktree' in leftover) return leftover.worktree
  return 'task' in leftover ? leftover.task.request.id : leftover.directory.task
}

/** Does away with one. What has become something else meanwhile stays. */
export async function clearAway(leftover: Leftover, ports: ReconcilePorts): Promise<void> {
  const { store, files } = ports
  switch (leftover.kind) {
    case 'unused_worktree':
      return await retireUnused(leftover.task, ports)
    case 'abandoned_addition':
      return await clearAddition(leftover.worktree, ports)
    case 'environment_of_ended_task': {
      const task = await store.findTask(leftover.directory.task).catch(unlessRowTrouble)
      if (task !== undefined && task !== 'damaged') await forgetSnapshots(task, files)
      await files.forgetSecrets(leftover.directory.task)
      return reach('reconcile.environment-forgotten')
    }
    case 'abandoned_submission': {
      const { directory } = leftover
      // A `run` that was only asleep, with its machine or by a signal, finds out when it goes on.
      await store.unlessKnown(directory.task, () => clearSubmission(directory, ports))
    }
  }
}

/** Not its row, and not what stands of it: the next who asks for it makes it anew. */
async function clearAddition(
  id: WorktreeId,
  { store, files, locks }: ReconcilePorts,
): Promise<void> {
  await tryAlone(id, locks, async () => {
    await files.closeAdding(id)
    if ((await store.findWorktree(id)) === undefined) await files.dropHolder(id)
  })
}

async function clearSubmission(
  { task, repository }: TaskDirectory,
  { files, worktrees }: ReconcilePorts,
): Promise<void> {
  // The secrets first: they go in any case.
  await files.forgetSecrets(task)
  reach('reconcile.environment-forgotten')
  if (repository !== null) {
    await worktrees.dropBase(repository, task)
    reach('reconcile.ref-dropped')
  }
  await files.remove(task)
  reach('reconcile.directory-removed')
}
