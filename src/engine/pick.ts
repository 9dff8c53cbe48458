/** Takes a result home as commits on top of HEAD of a checkout. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { Taken, Task } from '../domain/task.ts'
import type { Application, PickOutcome } from '../ports/applications.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Checkout } from '../ports/worktrees.ts'
import { type ApplyPorts, isHandOff, mend, requireResult } from './apply.ts'
import { describeCommit } from './branch.ts'

export interface PickPorts extends ApplyPorts {
  readonly files: TaskFiles
}

export interface PickWish {
  readonly target: Checkout
  readonly isStopped: () => boolean
  /** Told of what had been killed half-way here, and is put right first. */
  readonly onMended: (application: Application) => void
}

/**
 * Refuses as `Applications.pick` does, and with `no_result` where the agent changed nothing; with
 * `refused_in_state` where a part of its work would stay behind.
 */
export async function pickTask(task: Task, wish: PickWish, ports: PickPorts): Promise<PickOutcome> {
  const { commit: result, files: changed } = requireResult(task)
  const { id, base } = task.request
  refuseInner(task)
  if (changed === 0) throw new AppError('no_result', `${id} changed nothing`)
  const { target, isStopped } = wish
  const { root } = target.place
  refuseElsewhere(task, target)
  const { store, files, applications, clock } = ports
  const { message } = await describeCommit(task, files)
  return await applications.withTarget(root, async () => {
    const mended = await mend(id, wish, ports)
    const outcome = await applications.pick({ task: id, base, result, message, target, isStopped })
    const before = (await store.findTask(id))?.taken ?? null
    if (before === null || (outcome.kind === 'picked' && !isHandOff(before))) {
      const head = headOf(outcome, target, mended)
      // Picked once more elsewhere, it is so since the first time: since then the others are passed over.
      const at = before?.how === 'picked' ? before.at : clock.now()
      const taken = { how: 'picked', at, where: root, number: null, ...head } as const
      await store.recordTaken(id, taken, `picked in ${root}`, clock.now())
      reach('pick.row-committed')
    }
    return outcome
  })
}

/** One that was killed after HEAD had moved was ended just now, and is found in place. */
function headOf(
  outcome: PickOutcome,
  target: Checkout,
  mended: Application | undefined,
): Pick<Extract<Taken, { readonly how: 'picked' }>, 'head'> {
  if (outcome.kind === 'picked') {
    const { from, commit, branch } = outcome
    return { head: { from, commit, branch } }
  }
  const head = mended?.head ?? null
  return head !== null && head.commit === target.head ? { head } : {}
}

function refuseInner({ request: { id }, state }: Task): void {
  const inner = 'result' in state ? (state.result?.repositories ?? []) : []
  if (inner.length === 0) return
  const paths = inner.map(({ path }) => path).join(', ')
  throw new AppError('refused_in_state', `${id} did work in repositories of its own: ${paths}`, {
    hint: `the rest of it, into your files: holdfast apply ${id}`,
  })
}

function refuseElsewhere({ request: { id, repo } }: Task, { place }: Checkout): void {
  if (place.commonDir === repo.commonDir) return
  throw new AppError('unrelated_repository', `${place.root} is not of the repository of ${id}`, {
    hint: `it was asked in ${repo.root}; into the files of a clone: holdfast apply ${id} --to DIR`,
  })
}
