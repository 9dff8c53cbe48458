/**
 * What becomes of the other members of a group once one of them was picked: each that has ended is
 * archived, and its worktree put away as a snapshot, from which it comes back. Which of a group was
 * picked stands in its own row alone, so that all others are passed over in one moment; this only
 * clears up after it, and can be done again.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { pickedMembers } from '../domain/group.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { type PutAwayPorts, putAway } from './put-away.ts'
import { isStoreTrouble } from './trouble.ts'

interface PassedOver {
  readonly task: Task
  readonly became: 'put_away' | 'archived' | 'goes_on' | 'stays'
  /** Why its worktree stays; null: it does not. */
  readonly why: string | null
}

/** Those that were made with it; none of its own line, which has the same worktree, and none that was picked too. */
export async function otherMembers(
  { request }: Task,
  { store }: Pick<PutAwayPorts, 'store'>,
): Promise<readonly Task[]> {
  const { group, workplace } = request
  if (group === null) return []
  const all = await store.listTasks({ group })
  const picked = new Set(pickedMembers(all).map(one => one.request.workplace.id))
  const isOther = ({ request: { workplace: place } }: Task) =>
    place.id !== workplace.id && !picked.has(place.id)
  return all.filter(isOther).toReversed()
}

/**
 * Lists those again that were archived since it was picked; what was archived before is its user's own
 * doing. Where another one is picked, too, they are passed over for that from now on. Called before its
 * own row says that it is not picked any more, so that it is called again where that was not written.
 */
export async function listAgain(
  { request, taken }: Task,
  { store, clock }: Pick<PutAwayPorts, 'store' | 'clock'>,
): Promise<readonly Task[]> {
  const { id, group, workplace } = request
  if (group === null || taken === null) return []
  const all = await store.listTasks({ group })
  const isStill = pickedMembers(all).some(one => one.request.id !== id)
  const passed = all.filter(
    ({ request: { workplace: place }, archivedAt }) =>
      place.id !== workplace.id && archivedAt !== null && archivedAt >= taken.at,
  )
  for (const { request: other } of passed) {
    await store.archiveTask(other.id, isStill ? clock.now() : null)
  }
  return isStill ? [] : passed.toReversed()
}

/**
 * `picked` is listed, should it have been passed over for another before. One of the others that has not
 * ended goes on: to say which result is taken is not to say that it is to stop.
 */
export async function passOver(
  picked: Task,
  others: readonly Task[],
  ports: PutAwayPorts,
): Promise<readonly PassedOver[]> {
  if (picked.archivedAt !== null) await ports.store.archiveTask(picked.request.id, null)
  const passed: PassedOver[] = []
  for (const task of others) {
    if (!hasEnded(task.state)) passed.push({ task, became: 'goes_on', why: null })
    else passed.push({ task, ...(await clearUp(task, ports)) })
  }
  return passed
}

async function clearUp(task: Task, ports: PutAwayPorts): Promise<Omit<PassedOver, 'task'>> {
  const { store, clock } = ports
  const { id, workplace } = task.request
  const stored = await store.findWorktree(workplace.id)
  let became: PassedOver['became'] = 'archived'
  let why: string | null = null
  // What its user has pinned is theirs.
  if (stored?.kind === 'managed' && stored.pinned) {
    became = 'stays'
    why = 'it is pinned'
  } else if (stored?.kind === 'managed') {
    try {
      await putAway(workplace.id, ports)
      became = 'put_away'
    } catch (error) {
      if (isStoreTrouble(error)) throw error
      // Somebody else has just put it away.
      const isAway = error instanceof AppError && error.code === 'no_such_task'
      became = isAway ? 'put_away' : 'stays'
      why = isAway ? null : messageOf(error)
    }
  } else if (task.putAwayAt !== null) became = 'put_away'
  await store.archiveTask(id, task.archivedAt ?? clock.now())
  reach('pick.passed-over')
  return { became, why }
}
