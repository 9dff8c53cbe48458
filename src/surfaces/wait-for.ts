/** Waiting for tasks to end, from a process that does not matter to them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskEvent } from '../domain/agent-events.ts'
import type { TaskId } from '../domain/ids.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { findAsked } from '../engine/answer.ts'
import type { SurfaceContext } from './context.ts'
import { eventPages } from './event-pages.ts'
import { ringOrTell } from './look.ts'

/** How often the store is asked whether anything was written; the question costs microseconds. */
export const POLL_MS = 20
/** How often it is made sure that a worker is up. */
const RING_EVERY_MS = 2_000

/** `interrupted`: the signal's number. */
type WaitEnd = 'ended' | 'timeout' | { readonly interrupted: number }

export interface WaitOptions {
  /** Milliseconds; undefined: as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Until one of them has ended, or asks; else until all have. */
  readonly any?: boolean
  /** Called with each task's new log lines as they come. */
  readonly onEvents?: (events: readonly TaskEvent[]) => Promise<void>
  /** In what else it is not waited for one any longer. */
  readonly isStuck?: (task: Task) => boolean
  /** The sequence number after which log lines are new; by default all are. */
  readonly after?: number
  /** How often it is looked; by default as often as anybody could notice. */
  readonly pollMs?: number
  /** Called at every look, at least every `pollMs`, and after the end. */
  readonly onLook?: () => Promise<void>
}

/** The tasks as they stand in the end, in the order of `ids`. */
export async function waitForTasks(
  ids: readonly TaskId[],
  options: WaitOptions,
  context: SurfaceContext,
): Promise<{ readonly tasks: readonly Task[]; readonly end: WaitEnd }> {
  const store = await context.holdfast.store()
  const presence = await context.holdfast.presence()
  const { interrupted } = context
  const seen = new Map<TaskId, number>()
  const deadline =
    options.timeoutMs === undefined ? Infinity : performance.now() + options.timeoutMs
  let rungAt = performance.now()
  for (;;) {
    const counter = store.changeCounter()
    const tasks: Task[] = []
    for (const id of ids) {
      const task = await store.findTask(id)
      if (task === undefined) throw new Error(`task ${id} is gone from the store`)
      tasks.push(task)
      if (options.onEvents === undefined) continue
      for await (const page of eventPages(store, id, seen.get(id) ?? options.after ?? 0)) {
        await options.onEvents(page)
        seen.set(id, page.at(-1)?.seq ?? 0)
      }
    }
    const done: boolean[] = []
    for (const task of tasks) {
      // A task that asks something will not go on by itself.
      const isStuck = options.isStuck?.(task) === true || (await findAsked(task, store)) !== null
      done.push(isStuck || hasEnded(task.state))
    }
    if (options.any === true && done.length > 0 ? done.includes(true) : !done.includes(false)) {
      await options.onLook?.()
      return { tasks, end: 'ended' }
    }
    do {
      await options.onLook?.()
      if (interrupted.aborted) return { tasks, end: { interrupted: Number(interrupted.reason) } }
      if (performance.now() >= deadline) return { tasks, end: 'timeout' }
      if (performance.now() - rungAt > RING_EVERY_MS) {
        rungAt = performance.now()
        // Said once: from here it will not become possible.
        if (presence.look() === undefined && !(await ringOrTell(context))) rungAt = Infinity
      }
      await sleep(options.pollMs ?? POLL_MS)
    } while (store.changeCounter() === counter)
  }
}
