/**
 * Collects, and again after a while if something was in the way. What could not be collected is
 * never passed over: it stands in the log and in the result. Where a disk is full, the work is
 * safe where it is, and waits for room.
 */
import { type Collected, collectWork } from './collect.ts'
import type { FollowPorts, Underway, Wishes } from './follow-attempt.ts'

/** A lock of the repository is held for milliseconds. */
const COLLECT_TRIES = 5
/** A full disk is full for as long as it takes: looked at again after so many ticks. */
const TICKS_PER_TRY = 10
/** Whatever took so long takes as long again. */
const PATIENCE_MS = 60_000

/** `hands_off`: this worker leaves before that; the next one collects. */
export async function collectPatiently(
  { task, attempt, worktree }: Underway,
  answer: string | null,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Collected | 'hands_off'> {
  const { store, clock, ticker } = ports
  const tell = (note: string) =>
    store.recordNote(attempt.task, attempt.fence, 'task_changed', note, clock.now())
  for (let tries = 1, waits = 0; ; ) {
    const began = clock.elapsed()
    const leave = new AbortController()
    const collecting = collectWork(task, worktree, answer, ports, leave.signal)
    const collected = await untilReleased(collecting, leave, wishes, ports)
    if (collected === 'hands_off' || collected.ok) return collected
    const { failure, result, passes } = collected
    if (passes) {
      if (waits++ === 0) await tell(`its work waits to be collected: ${failure.message}`)
      for (let n = 0; n < TICKS_PER_TRY && !wishes.release; n++) await ticker.next()
      if (wishes.release) return 'hands_off'
      continue
    }
    const isLong = clock.elapsed() - began > PATIENCE_MS
    if (failure.code !== 'collect_failed' || tries++ === COLLECT_TRIES || isLong) {
      const note = `nothing was collected: ${failure.message}`
      await tell(note)
      return { ...collected, result: { ...result, leftOut: [note] } }
    }
    await ticker.next()
  }
}

/** A git that hangs does not keep a worker that is to leave: the next one collects. */
async function untilReleased(
  collecting: Promise<Collected>,
  leave: AbortController,
  wishes: Wishes,
  { ticker }: FollowPorts,
): Promise<Collected | 'hands_off'> {
  let isOver = false
  const over = collecting.finally(() => {
    isOver = true
  })
  while (!isOver) {
    await Promise.race([over, ticker.next()])
    if (wishes.release) leave.abort()
  }
  const collected = await over
  return leave.signal.aborted && !collected.ok ? 'hands_off' : collected
}
