/** Gives a result back that had been taken home into a checkout. */
import { AppError } from '../domain/errors.ts'
import type { Task } from '../domain/task.ts'
import type { Application, FileChange } from '../ports/applications.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { type ApplyPorts, recordGivenBack, takeBack } from './apply.ts'

/** What was taken back, and from where. */
interface Undone {
  readonly root: string
  readonly files: readonly FileChange[]
}

interface UndoWish {
  /** The checkout that the user named; else the caller's, if it is one that has it. */
  readonly named: string | null
  readonly standsIn: string | null
}

/** Takes the newest application back: of the named checkout, else of the caller's, else of the only one. */
export async function undoTask(
  task: Task,
  wish: UndoWish,
  ports: ApplyPorts & { readonly worktrees: Worktrees },
): Promise<Undone> {
  const { id } = task.request
  const { applications, worktrees } = ports
  const all = applications.list(id).filter(isOfApply)
  const { taken } = task
  // All but the row had been taken back when that was killed.
  if (all.length === 0 && taken !== null && taken.number !== null) {
    refuseHandedOff(task, taken.number)
    await recordGivenBack(id, { root: taken.where, number: taken.number }, ports)
    return { root: taken.where, files: [] }
  }
  const { root, number } = chooseApplication(task, wish, all)
  refuseHandedOff(task, number)
  const target = await worktrees.openCheckout(root)
  return await applications.withTarget(root, async () => {
    const interrupted = applications.findInterrupted(target)
    const isOther = interrupted !== undefined && interrupted.task !== id
    if (isOther) await takeBack(interrupted, target, ports)
    const newest = applications
      .list(id)
      .findLast(application => application.root === root && isOfApply(application))
    if (newest === undefined) {
      throw new AppError('not_applied', `${id} is no longer applied to ${root}`)
    }
    return { root, files: await takeBack(newest, target, ports) }
  })
}

const isOfApply = ({ isHandBack, isPick }: Application) => !isHandBack && !isPick

/** Session and files go back together. */
function refuseHandedOff({ request: { id }, taken }: Task, number: number): void {
  if (taken?.how !== 'handed_off' || taken.number !== number) return
  throw new AppError('refused_in_state', `${id} was handed off to ${taken.where}`, {
    hint: `to take that back, its session too: holdfast handoff ${id} --undo`,
  })
}

function chooseApplication(
  task: Task,
  { named, standsIn }: UndoWish,
  all: readonly Application[],
): Application {
  const { id } = task.request
  const isAt = (root: string | null) => (application: Application) => application.root === root
  const newest = all.findLast(isAt(named ?? standsIn)) ?? (named === null ? all.at(-1) : undefined)
  if (newest === undefined) {
    refuseNotOurs(task)
    const where = named === null ? 'to no checkout' : `not to ${named}`
    throw new AppError('not_applied', `${id} is applied ${where}`, {
      hint: `holdfast apply ${id} applies it`,
    })
  }
  const roots = [...new Set(all.map(({ root }) => root))]
  if (roots.length > 1 && ![named, standsIn].includes(newest.root)) {
    throw new AppError('refused_in_state', `${id} is applied to ${roots.join(' and to ')}`, {
      hint: `say from which to take it back: holdfast apply --undo ${id} --to DIR`,
    })
  }
  return newest
}

/** Where `apply` would write nothing, and has not written what is there. */
function refuseNotOurs({ request: { id, workplace }, taken }: Task): void {
  const isInPlace = workplace.kind === 'borrowed'
  if (!isInPlace && taken === null) return
  if (taken?.how === 'picked') {
    throw new AppError('not_applied', `${id} was picked in ${taken.where}: it is in commits`, {
      hint: `holdfast pick --undo ${id}; or git revert takes them back by others`,
    })
  }
  const how = isInPlace
    ? `${id} worked in place, in ${workplace.path}`
    : `what ${id} changed was found in ${taken?.where}, and not written by an apply`
  throw new AppError('not_applied', `${how}: there is nothing on record to take back`, {
    hint: `to take it out by hand, in that checkout: holdfast diff ${id} | git apply --reverse`,
  })
}
