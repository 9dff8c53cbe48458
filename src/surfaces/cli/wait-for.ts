/** Waiting for tasks to end, from a process that does not matter to them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskEvent } from '../../domain/agent-events.ts'
import type { TaskId } from '../../domain/ids.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { CommandContext } from './command.ts'
import { ringOrTell } from './look.ts'

/** How often the store is asked whether anything was written; the question costs microseconds. */
const POLL_MS = 50
/** How often it is made sure that a worker is up. */
const RING_EVERY_MS = 2_000
const EVENTS_AT_ONCE = 500

/** `interrupted`: the signal's number. */
export type WaitEnd = 'ended' | 'timeout' | { readonly interrupted: number }

export interface WaitOptions {
  /** Milliseconds; undefined: as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Until one of them has ended, or asks; else until all have. */
  readonly any?: boolean
  /** Called with each task's new log lines as they come. */
  readonly onEvents?: (events: readonly TaskEvent[]) => Promise<void>
}

/** The tasks as they stand in the end, in the order of `ids`. */
export async function waitForTasks(
  ids: readonly TaskId[],
  options: WaitOptions,
  context: CommandContext,
): Promise<{ readonly tasks: readonly Task[]; readonly end: WaitEnd }> {
  const store = await context.holdfast.store()
  const presence = await context.holdfast.presence()
  const { interrupted } = context
  const seen = new Map<TaskId, number>()
  const deadline = options.timeoutMs === undefined ? Infinity : context.now() + options.timeoutMs
  let rungAt = context.now()
  for (;;) {
    const counter = store.changeCounter()
    const tasks: Task[] = []
    for (const id of ids) {
      const task = await store.findTask(id)
      if (task === undefined) throw new Error(`task ${id} is gone from the store`)
      tasks.push(task)
      if (options.onEvents !== undefined) {
        seen.set(id, await passEvents(id, seen.get(id) ?? 0, options.onEvents, context))
      }
    }
    // A task that asks something will not go on by itself.
    const done = tasks.map(({ state }) => hasEnded(state) || state.name === 'needs_input')
    if (options.any === true ? done.includes(true) : !done.includes(false)) {
      return { tasks, end: 'ended' }
    }
    do {
      if (interrupted.aborted) return { tasks, end: { interrupted: Number(interrupted.reason) } }
      if (context.now() >= deadline) return { tasks, end: 'timeout' }
      if (context.now() - rungAt > RING_EVERY_MS) {
        rungAt = context.now()
        if (presence.look() === undefined) await ringOrTell(context)
      }
      await sleep(POLL_MS)
    } while (store.changeCounter() === counter)
  }
}

/** Passes on what is new in a task's log; gives the number of the last line. */
async function passEvents(
  id: TaskId,
  after: number,
  onEvents: (events: readonly TaskEvent[]) => Promise<void>,
  { holdfast }: CommandContext,
): Promise<number> {
  const store = await holdfast.store()
  let last = after
  for (;;) {
    const events = await store.listEvents(id, last, EVENTS_AT_ONCE)
    if (events.length === 0) return last
    await onEvents(events)
    last = events.at(-1)?.seq ?? last
  }
}
