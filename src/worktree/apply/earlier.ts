/** What came into a checkout before, of a task's result or of those that it follows. */
import type { CommitId, TaskId } from '../../domain/ids.ts'
import type { ApplyOrder } from '../../ports/applications.ts'
import type { BytePath } from '../files/paths.ts'
import { isSame } from '../files/standing.ts'
import { listJournals, makeJournalLook } from './journal.ts'

export interface Earlier {
  /** Something was applied to this checkout, and all of it stands as it was written. */
  readonly isInPlace: boolean
  /** The paths that do not stand as they did before, and which result they were written for. */
  readonly applied: ReadonlyMap<BytePath, CommitId>
}

export function readEarlier(order: ApplyOrder, directoryOf: (task: TaskId) => string): Earlier {
  const { task, result, followed } = order
  // Each brings something else: none is a part of another.
  if (order.isHandBack === true) return { isInPlace: false, applied: new Map() }
  const own = readApplied(order, directoryOf(task))
  const applied = new Map<BytePath, CommitId>()
  for (const earlier of [...followed, { task, result }]) {
    const states = earlier.task === task ? own : readApplied(order, directoryOf(earlier.task))
    for (const [path, state] of states) {
      if (state !== 'before') applied.set(path, earlier.result)
    }
  }
  const isInPlace = own.size > 0 && [...own.values()].every(state => state === 'after')
  return { isInPlace, applied }
}

type PathState = 'before' | 'after' | 'edited'

/** Each file that the applications of a task to this checkout have written, as it is now. */
function readApplied({ target }: ApplyOrder, directory: string): Map<BytePath, PathState> {
  const states = new Map<BytePath, PathState>()
  for (const journal of listJournals(directory)) {
    const isElsewhere = journal.root !== target.place.root
    if (isElsewhere || journal.isHandBack || journal.state !== 'applied') continue
    const look = makeJournalLook(journal)
    for (const { path, before, after } of journal.changes) {
      const now = look(path)
      states.set(path, isSame(now, after) ? 'after' : isSame(now, before) ? 'before' : 'edited')
    }
  }
  return states
}
