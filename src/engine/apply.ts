/**
 * Takes a result home into a checkout, and gives it back. Files first, row last: a death in between
 * leaves a journal, which the next `apply` or `undo` finds.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { CommitId, TaskId } from '../domain/ids.ts'
import {
  baseTreeCommit,
  type HandOff,
  hasEnded,
  resultOf,
  type Taken,
  type Task,
} from '../domain/task.ts'
import type {
  Application,
  Applications,
  ApplyMode,
  ApplyOutcome,
  FileChange,
} from '../ports/applications.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { Checkout } from '../ports/worktrees.ts'

export interface ApplyPorts {
  readonly store: Store
  readonly applications: Applications
  readonly clock: Clock
}

/** How an application is wished for. */
export interface ApplyWish {
  readonly target: Checkout
  readonly mode: ApplyMode
  readonly isStopped: () => boolean
  /** Told of each application that had been killed half-way here, and is put right first. */
  readonly onMended: (application: Application) => void
}

/** `nothing`: the agent changed no file. */
export type Applied = ApplyOutcome | { readonly kind: 'nothing' }

export async function applyTask(task: Task, wish: ApplyWish, ports: ApplyPorts): Promise<Applied> {
  const result = requireResult(task)
  if (result.files === 0) return { kind: 'nothing' }
  const { id, base } = task.request
  const { target, mode, isStopped } = wish
  const { root } = target.place
  const { applications } = ports
  return await applications.withTarget(root, async () => {
    if (mode === 'check') refuseInterrupted(target, applications)
    else await mend(id, wish, ports)
    const followed = await listFollowed(task, ports)
    const order = { task: id, base, result: result.commit, followed, target, mode, isStopped }
    const outcome = await applications.apply(order)
    if (mode === 'check' || outcome.kind === 'conflicting') return outcome
    const { store, clock } = ports
    const before = (await store.findTask(id))?.taken ?? null
    if (before === null || (outcome.kind === 'applied' && !isHandOff(before))) {
      const taken = describeTaken(root, newestOf(id, applications, root), clock.now())
      await store.recordTaken(id, taken, `applied to ${root}`, clock.now())
      reach('apply.row-committed')
    }
    return outcome
  })
}

/** Refuses with `not_finished` and `no_result`. */
export function requireResult(task: Task): { commit: CommitId; files: number } {
  const { id } = task.request
  if (!hasEnded(task.state)) {
    throw new AppError('not_finished', `${id} has not ended yet: it is ${task.state.name}`, {
      hint: `holdfast wait ${id}`,
    })
  }
  const { result } = task.state
  if (result?.commit == null) {
    throw new AppError('no_result', `${id} ${task.state.name} before anything was collected`, {
      hint: task.worktree === null ? 'it never had a worktree' : `look in ${task.worktree.path}`,
    })
  }
  return { commit: result.commit, files: result.files }
}

/** A task that was resumed holds the work of both: what of the first is home already is no conflict. */
async function listFollowed(
  { request }: Task,
  { store }: ApplyPorts,
): Promise<{ task: TaskId; result: CommitId }[]> {
  const found: { task: TaskId; result: CommitId }[] = []
  for (let id = request.follows; id !== null; ) {
    const task = await store.findTask(id)
    if (task === undefined) break
    const result = resultOf(task.state)
    if (baseTreeCommit(task.request.base) !== baseTreeCommit(request.base)) break
    if (result?.commit != null) found.unshift({ task: id, result: result.commit })
    id = task.request.follows
  }
  return found
}

function refuseInterrupted(target: Checkout, applications: Applications): void {
  const interrupted = applications.findInterrupted(target)
  if (interrupted === undefined) return
  const { task, isPick } = interrupted
  throw new AppError(
    'operation_in_progress',
    `${isPick ? 'a pick' : 'an apply'} of ${task} to ${target.place.root} was killed half-way`,
    {
      hint: isPick
        ? `give that command again: holdfast pick ${task}`
        : `take it back first: holdfast apply --undo ${task}`,
    },
  )
}

/** The newest application of a task that stands: anywhere, or to one checkout. */
function newestOf(
  task: TaskId,
  applications: Applications,
  root: string | null,
): Application | undefined {
  const isThere = (application: Application) =>
    !application.isHandBack && (root === null || application.root === root)
  return applications.list(task).findLast(found => found.isWhole && isThere(found))
}

/** Where nothing was written, it was found in place now. */
function describeTaken(where: string, application: Application | undefined, now: number): Taken {
  const { at = now, number = null } = application ?? {}
  return { how: 'applied', at, where, number }
}

/** It stands until it is taken back itself, whatever is applied beside it. */
export function isHandOff(taken: Taken | null): taken is HandOff {
  return taken !== null && 'withSession' in taken
}

/**
 * Takes back what was killed half-way: of any task in this checkout, since no other could be merged
 * with half of it; and of this one what had not come to moving a file. Gives what was interrupted.
 */
export async function mend(
  id: TaskId,
  { target, onMended }: Pick<ApplyWish, 'target' | 'onMended'>,
  ports: ApplyPorts,
): Promise<Application | undefined> {
  const { applications } = ports
  const interrupted = applications.findInterrupted(target)
  if (interrupted !== undefined) {
    await takeBack(interrupted, target, ports)
    onMended(interrupted)
  }
  for (const application of applications.list(id)) {
    if (application.isWhole || application.root !== target.place.root) continue
    await takeBack(application, target, ports)
  }
  return interrupted
}

export async function takeBack(
  application: Application,
  target: Checkout,
  ports: ApplyPorts,
): Promise<readonly FileChange[]> {
  const { task, root, number, isHandBack, isPick } = application
  const files = await ports.applications.undo(application, target)
  if (!isHandBack && !isPick) await recordGivenBack(task, { root, number }, ports)
  return files
}

export async function recordGivenBack(
  task: TaskId,
  { root, number }: Pick<Application, 'root' | 'number'>,
  { store, applications, clock }: ApplyPorts,
): Promise<void> {
  const known = await store.findTask(task)
  // Its task may be gone by now: then nobody wants to know.
  if (known === undefined) return
  if (isHandOff(known.taken) && known.taken.number !== number) return
  const left = newestOf(task, applications, null)
  const taken = left === undefined ? null : describeTaken(left.root, left, clock.now())
  await store.recordTaken(task, taken, `taken back from ${root}`, clock.now())
}
