/**
 * Takes the result of a task home to where it was asked. It is never forced: whatever speaks against
 * it is given in words, and `apply` is left to the user.
 */
import { AppError } from '../domain/errors.ts'
import type { Task } from '../domain/task.ts'
import type { FileChange } from '../ports/applications.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'
import { type ApplyPorts, type ApplyWish, applyTask, requireResult } from './apply.ts'

interface BringBackPorts extends ApplyPorts {
  readonly worktrees: Worktrees
  readonly files: TaskFiles
}

export type BroughtBack =
  /** It changed no file, or all that it changed is there. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'brought'; readonly root: string; readonly files: readonly FileChange[] }
  | { readonly kind: 'left'; readonly why: string }

interface BringBackWish extends Pick<ApplyWish, 'isStopped' | 'onMended'> {
  /** Only to what is still as the task found it; else to whatever it fits without a conflict. */
  readonly onlyAsFound: boolean
}

/** Of a task that has succeeded. */
export async function bringBack(
  task: Task,
  { onlyAsFound, ...wish }: BringBackWish,
  ports: BringBackPorts,
): Promise<BroughtBack> {
  const { root } = task.request.repo
  try {
    if (requireResult(task).files === 0) return { kind: 'nothing' }
    const target = await ports.worktrees.openCheckout(root)
    if (!isSame(task, target) || (onlyAsFound && !(await isAsFound(task, target, ports)))) {
      return { kind: 'left', why: `${root} has changed since the task started` }
    }
    const applied = await applyTask(task, { ...wish, target, mode: 'clean' }, ports)
    switch (applied.kind) {
      case 'applied':
        return { kind: 'brought', root, files: applied.files }
      case 'conflicting': {
        const paths = applied.conflicts.map(({ path }) => path).join(', ')
        return { kind: 'left', why: `${root} has changed since: ${paths}` }
      }
      default:
        return { kind: 'nothing' }
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { kind: 'left', why: error.message }
  }
}

/** Another checkout may have been made at the same place. */
function isSame({ request: { repo } }: Task, { place }: Checkout): boolean {
  return place.root === repo.root && place.commonDir === repo.commonDir
}

async function isAsFound(
  { request: { id, base } }: Task,
  target: Checkout,
  { worktrees, files }: BringBackPorts,
): Promise<boolean> {
  return await worktrees.isAsBase(target, id, base, files.directory(id))
}
