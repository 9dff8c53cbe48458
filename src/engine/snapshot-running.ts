/**
 * Now and then keeps the files of a running task aside: what there is to go on from where somebody
 * takes its worktree away. Beside the following, which it never keeps waiting; where it fails, that
 * is a note and no more.
 */
import { defaultBounds } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import type { RunningSnapshot } from '../domain/snapshot.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import type { FollowPorts, Underway } from './follow-attempt.ts'

export interface SnapshotWatch {
  /** To be asked at every look at a live agent; `now` is measured. Begins what is due, at most. */
  look(now: number): void
  /** Its gits stand in the worktree now, where else only the attempt's processes do. */
  isBusy(): boolean
  /** Ends what is under way, which leaves nothing. */
  stop(): Promise<void>
}

type Ports = Pick<FollowPorts, 'store' | 'files' | 'worktrees' | 'clock' | 'snapshotEveryMs'>

/** One that takes longer is given up. */
const LIMIT_MS = 60_000
/** What it took is so small a part of the time until the next, whatever the interval. */
const TIMES_REST = 20
/** Somebody who deletes a tree is done by then: what is left half-way is not to count as its state. */
const SETTLE_MS = 10_000

const STOP_MS = 2_000

/** Captured, and not yet believed. */
interface Settling {
  readonly snapshot: RunningSnapshot
  readonly seen: string
  readonly ripeAt: number
}

export function snapshotWhileRunning(underway: Underway, ports: Ports): SnapshotWatch {
  const { worktree } = underway
  const isOff = worktree === null || ports.snapshotEveryMs === 0
  return isOff
    ? { look: () => undefined, isBusy: () => false, stop: async () => undefined }
    : watch({ ...underway, worktree }, ports)
}

type Watched = Underway & { readonly worktree: WorktreeRecord }

function watch(watched: Watched, ports: Ports): SnapshotWatch {
  const { task, attempt, worktree } = watched
  const { store, files, worktrees, clock, snapshotEveryMs } = ports
  let latest = task.snapshot
  let seen: string | null = null
  let settling: Settling | undefined
  let dueAt = clock.elapsed() + untilFirst(latest?.takenAt ?? attempt.startedAt, ports)
  let busy: { readonly began: number; readonly leave: AbortController } | undefined
  let over = Promise.resolve()
  let isStopped = false
  let isTold = false

  const take = async (leave: AbortSignal): Promise<void> => {
    const began = clock.elapsed()
    try {
      const captured = await capture(watched, latest, seen, leave, ports)
      if (captured === undefined) return
      const { snapshot, seen: mark } = captured
      // As the base again, perhaps for the moment of a `git stash`: what was kept before stays.
      if (snapshot === null) seen = mark
      else {
        const ripeAt = clock.elapsed() + Math.min(SETTLE_MS, snapshotEveryMs)
        settling = { snapshot, seen: mark, ripeAt }
      }
    } finally {
      const now = clock.elapsed()
      dueAt = now + Math.max(snapshotEveryMs, (now - began) * TIMES_REST)
    }
  }
  const keep = async ({ snapshot, seen: mark }: Settling): Promise<void> => {
    settling = undefined
    if (worktrees.lookAtWorktree(worktree) !== 'present') return
    // Refused: a newer attempt has files of its own.
    if (!(await store.recordRunningSnapshot(attempt, snapshot))) return
    reach('snapshotting.recorded')
    latest = snapshot
    seen = mark
    await files.removeRunningSnapshots(attempt.task, latest)
    reach('snapshotting.older-removed')
  }
  const tell = async (error: unknown): Promise<void> => {
    if (isStopped || isTold) return
    isTold = true
    const note = `its files could not be kept aside for now: ${messageOf(error)}`
    await store.recordNote(attempt.task, attempt.fence, 'task_changed', note, clock.now())
  }
  const begin = (began: number, work: (leave: AbortSignal) => Promise<void>): void => {
    const leave = new AbortController()
    busy = { began, leave }
    over = work(leave.signal)
      .catch(error => tell(leave.signal.aborted ? leave.signal.reason : error))
      // The store itself is in trouble: whoever follows meets that, too.
      .catch(() => undefined)
      .finally(() => {
        busy = undefined
      })
  }
  return {
    look(now) {
      if (busy !== undefined) {
        if (now - busy.began > LIMIT_MS) busy.leave.abort(new Error('it took too long'))
      } else if (settling === undefined) {
        if (now >= dueAt) begin(now, take)
      } else if (now >= settling.ripeAt) {
        const ripe = settling
        begin(now, () => keep(ripe))
      }
    },
    isBusy: () => busy !== undefined,
    async stop() {
      isStopped = true
      if (busy === undefined) return
      busy.leave.abort()
      // A git that hangs in the kernel does not keep the end waiting.
      await Promise.race([over, clock.sleep(STOP_MS)])
    },
  }
}

/** Whoever takes an attempt over does not begin to count anew. */
function untilFirst(since: number, { clock, snapshotEveryMs }: Ports): number {
  return Math.min(Math.max(0, snapshotEveryMs - (clock.now() - since)), snapshotEveryMs)
}

/**
 * Undefined: there is nothing new; a snapshot of null: the files are those of the base. What is
 * captured and never recorded is written over, or goes with the task's end.
 */
async function capture(
  { task, attempt, worktree }: Watched,
  latest: RunningSnapshot | null,
  seen: string | null,
  leave: AbortSignal,
  { files, worktrees, clock }: Ports,
): Promise<{ readonly snapshot: RunningSnapshot | null; readonly seen: string } | undefined> {
  const { fence, task: id } = attempt
  const name = { fence, number: latest?.fence === fence ? latest.number + 1 : 1 }
  const takenAt = clock.now()
  const order = {
    base: task.request.base,
    task: id,
    fence,
    file: files.runningSnapshot(id, name),
    bounds: defaultBounds.capture,
    setUpAt: files.setUpTime(worktree.id),
    seen,
  }
  const captured = await worktrees.snapshotRunning(worktree, order, leave)
  if (captured.kind === 'unchanged') return undefined
  if (captured.kind === 'as_base') return { snapshot: null, seen: captured.seen }
  const { commit, leftOut } = captured
  return { snapshot: { ...name, commit, takenAt, leftOut }, seen: captured.seen }
}
