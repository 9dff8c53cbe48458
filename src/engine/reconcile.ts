/**
 * Brings disk and store back together after a death between two writes. A submission that was
 * killed leaves a task directory, with an environment in it, and a ref, and no row; a worker that
 * was killed right after a task's end leaves the environment. Whatever has a row is left alone.
 */
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import { hasEnded } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { TaskDirectory, TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { isRowTrouble } from './trouble.ts'

export interface ReconcilePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
}

/** A submission takes seconds at most, even of a large working tree. */
const ABANDONED_MS = 15 * 60_000

/** What is out of step; nothing is changed. */
export type Leftover =
  | { readonly kind: 'abandoned_submission'; readonly directory: TaskDirectory }
  | { readonly kind: 'environment_of_ended_task'; readonly directory: TaskDirectory }

export async function findLeftovers({
  store,
  files,
  clock,
}: Omit<ReconcilePorts, 'worktrees'>): Promise<readonly Leftover[]> {
  const found: Leftover[] = []
  for (const directory of await files.list()) {
    const isOld = clock.now() - directory.changedAt > ABANDONED_MS
    // Most are of tasks that ran and have long ended: those need no look at the store.
    if (!directory.hasEnvironment && (directory.hasRuns || !isOld)) continue
    const task = await store.findTask(directory.task).catch(unlessRowTrouble)
    if (task === 'damaged') continue
    if (task === undefined && isOld) found.push({ kind: 'abandoned_submission', directory })
    else if (task !== undefined && hasEnded(task.state) && directory.hasEnvironment) {
      found.push({ kind: 'environment_of_ended_task', directory })
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
  for (const { kind, directory } of await findLeftovers(ports)) {
    const { task } = directory
    // The secrets first: they go in any case.
    await ports.files.forgetSecrets(task)
    reach('reconcile.environment-forgotten')
    if (kind === 'abandoned_submission') {
      try {
        if (directory.repository !== null) {
          await ports.worktrees.dropBase(directory.repository, task)
          reach('reconcile.ref-dropped')
        }
        await ports.files.remove(task)
        reach('reconcile.directory-removed')
      } catch (error) {
        // The repository is locked, or gone: the directory says where the ref is, and stays.
        done.push(`${kind.replaceAll('_', ' ')} ${task} stays: ${messageOf(error)}`)
        continue
      }
    }
    done.push(`${kind.replaceAll('_', ' ')} ${task}`)
  }
  return done
}
