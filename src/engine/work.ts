/**
 * The worker's life: adopt what others started, claim what is queued, attend to each attempt, and
 * leave when there has been nothing to do for a while. Holds nothing that is not in the store or
 * in a run directory: it may be killed between any two statements.
 */
import { messageOf } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { ClaimedAttempt } from '../ports/store.ts'
import type { FollowPorts, Wishes } from './follow-attempt.ts'
import { adoptAttempt, runAttempt } from './run-attempt.ts'
import { finish } from './settle-attempt.ts'

export interface WorkOrder {
  /** How many attempts may run at once. */
  readonly slots: number
  /** How long to stay with nothing to do, in milliseconds. */
  readonly idleMs: number
  readonly findAgent: (name: string) => Promise<Agent>
  readonly log: (line: string) => void
  /** Set from outside to make the worker leave; agents go on without it. */
  readonly leave: AbortSignal
}

const UNSEEN = -1

interface Attended {
  readonly wishes: Wishes
  readonly over: Promise<void>
}

/** Works until there is nothing left to do, or until it is told to leave. */
export async function work(order: WorkOrder, ports: FollowPorts): Promise<void> {
  const { store, clock, ticker } = ports
  const attended = new Map<TaskId, Attended>()
  /** The store's change counter when it was last asked for work; our own writes do not move it. */
  let seen = UNSEEN
  const attend = (task: TaskId, run: (wishes: Wishes) => Promise<void>) => {
    const wishes = { cancel: false, release: order.leave.aborted }
    const over = run(wishes).finally(() => {
      attended.delete(task)
      seen = UNSEEN
      ticker.wake()
    })
    attended.set(task, { wishes, over })
  }

  const adopt = async () => {
    for (const { task, attempt } of await store.claimActive()) {
      if (attended.has(attempt.task)) continue
      order.log(`adopting ${attempt.task} (try ${attempt.fence}, ${task.state.name})`)
      attend(attempt.task, async wishes => {
        wishes.cancel = task.state.name === 'cancelling'
        const agent = await order.findAgent(task.request.agent)
        await guard({ task, attempt, agent }, order, ports, () =>
          adoptAttempt({ task, attempt, agent }, wishes, ports),
        )
      })
    }
  }

  const claim = async () => {
    while (attended.size < order.slots) {
      const claimed = await store.claimNext(clock.now(), chooseMode)
      if (claimed === undefined) return
      const { task, attempt, interruptedBy } = claimed
      order.log(`starting ${attempt.task} (try ${attempt.fence}, ${attempt.mode})`)
      attend(attempt.task, async wishes => {
        const agent = await order.findAgent(task.request.agent)
        await guard({ task, attempt, agent }, order, ports, () =>
          runAttempt({ task, attempt, agent }, interruptedBy, wishes, ports),
        )
      })
    }
  }

  await adopt()
  let idleSince = clock.now()
  let wakeAt: number | undefined
  while (!order.leave.aborted) {
    const counter = store.changeCounter()
    if (
      counter !== seen ||
      (wakeAt !== undefined && wakeAt <= clock.now()) ||
      attended.size === 0
    ) {
      seen = counter
      await passOnCancels(attended, adopt, ports)
      await claim()
      wakeAt = await store.nextWake()
    }
    if (attended.size > 0 || wakeAt !== undefined) idleSince = clock.now()
    if (clock.now() - idleSince >= order.idleMs) return
    await ticker.next(untilNextWake(wakeAt, attended.size < order.slots, clock.now()))
  }
  for (const { wishes } of attended.values()) wishes.release = true
  ticker.wake()
  await Promise.all([...attended.values()].map(({ over }) => over))
}

/** A wait that ends between two ticks is not kept waiting; without a free slot it has to be. */
function untilNextWake(
  wakeAt: number | undefined,
  slotIsFree: boolean,
  now: number,
): number | undefined {
  return wakeAt === undefined || !slotIsFree ? undefined : wakeAt - now
}

/** A cancelled task that nobody attends to was waiting: it is adopted, to be collected and ended. */
async function passOnCancels(
  attended: ReadonlyMap<TaskId, Attended>,
  adopt: () => Promise<void>,
  { store, ticker }: FollowPorts,
): Promise<void> {
  for (const task of await store.listTasks({ states: ['cancelling'] })) {
    const found = attended.get(task.request.id)
    if (found === undefined) await adopt()
    else if (!found.wishes.cancel) {
      found.wishes.cancel = true
      ticker.wake()
    }
  }
}

/** A session that is known goes on; without one the prompt is given again. */
function chooseMode(task: Task): 'fresh' | 'resume' {
  return task.session === null ? 'fresh' : 'resume'
}

/**
 * A bug in one attempt may not take the others along, nor leave its task `running` for ever: it
 * fails with what was thrown, after whatever of it still lives was ended.
 */
async function guard(
  claim: { task: Task; attempt: ClaimedAttempt; agent: Agent },
  order: WorkOrder,
  ports: FollowPorts,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
  } catch (error) {
    // Trouble with the store or the disk is not the attempt's: the worker ends, its agents go on,
    // and the next worker takes them up.
    if (isStoreTrouble(error)) throw error
    order.log(`bug in ${claim.attempt.task}: ${error instanceof Error ? error.stack : error}`)
    const { task, fence } = claim.attempt
    const runDirectory = ports.files.runDirectory(task, fence)
    await ports.host.stop(
      { task, fence, runDirectory, worktree: null },
      { graceful: null, graceMs: 0 },
    )
    const failure = {
      code: 'internal_error',
      message: messageOf(error),
      hint: 'this is a bug in Holdfast; the work is still in the task’s worktree',
    } as const
    await finish(
      { ...claim, worktree: null },
      { kind: 'attempt_failed', failure, result: null },
      ports,
    )
  }
}

function isStoreTrouble(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === 'ERR_SQLITE_ERROR' || code === 'ENOSPC' || code?.startsWith('store_') === true
}
