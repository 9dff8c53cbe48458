/**
 * The worker's life: adopt what others started, claim what is queued, attend to each attempt, and
 * leave when there has been nothing to do for a while. Holds nothing that is not in the store or
 * in a run directory: it may be killed between any two statements.
 */
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import { failureOf } from '../domain/outcome.ts'
import { activeStates, type Task } from '../domain/task.ts'
import type { CallerTokens } from '../ports/caller-tokens.ts'
import type { Channels } from '../ports/notifier.ts'
import type { ClaimScope } from '../ports/store.ts'
import { makeDeliverer } from './deliver.ts'
import { watchCallers } from './end-with-caller.ts'
import type { FollowPorts, Underway, Wishes } from './follow-attempt.ts'
import { forgetTokens } from './forget-tokens.ts'
import { oncePerTurn } from './once-per-turn.ts'
import type { Claimed } from './prepare-worktree.ts'
import { reconcile } from './reconcile.ts'
import { adoptAttempt, runAttempt } from './run-attempt.ts'
import { recordEnd } from './settle-attempt.ts'
import { isMachineTrouble, isRowTrouble, isStoreTrouble } from './trouble.ts'
import { verificationsOf } from './verify.ts'

export interface WorkOrder {
  /** How many attempts may run at once. */
  readonly slots: number
  /** How long to stay with nothing to do, in milliseconds. */
  readonly idleMs: number
  readonly log: (line: string) => void
  /** Puts the house in order while there is little else to do; gives what it did, a line each. */
  readonly keepHouse: (times: HouseTimes) => Promise<readonly string[]>
  /** Set from outside to make the worker leave; agents go on without it. */
  readonly leave: AbortSignal
}

export interface HouseTimes {
  /** The worker leaves. */
  readonly leave: AbortSignal
  /** Nothing is at work: the disk may be kept busy. */
  readonly isQuiet: () => boolean
}

const UNSEEN = -1
/** The house is put in order when nothing was at work for so long, and in any case so often. */
const QUIET_MS = 5_000
const HOUSE_EVERY_MS = 3_600_000
/** An agent that has just begun has the machine for itself for so long. */
const SETTLING_MS = 60_000
/** A slot may stand idle for this long, until the task that was interrupted in it goes on. */
const SLOT_KEPT_MS = 30_000

export interface WorkPorts extends FollowPorts {
  readonly channels: Channels
  readonly tokens: CallerTokens
}

type Claim = Omit<Underway, 'worktree' | 'agent'>

interface Attended {
  readonly wishes: Wishes
  readonly over: Promise<void>
  readonly needsSlot: boolean
}

/**
 * Works until there is nothing left to do, or until it is told to leave. Rejects where the store
 * or the disk fails: the agents go on, and the next worker takes them up.
 */
export async function work(order: WorkOrder, ports: WorkPorts): Promise<void> {
  const { store, clock, ticker } = ports
  const attended = new Map<TaskId, Attended>()
  /** When an attempt was begun last; undefined: the house was kept since. */
  let begunAt: number | undefined
  /** The store's change counter when it was last asked for work; our own writes do not move it. */
  let seen = UNSEEN
  let trouble: { readonly error: unknown } | undefined
  const changeCounter = oncePerTurn(() => store.changeCounter())

  const attend = (
    claim: Claim,
    run: (underway: Claimed, wishes: Wishes, ports: FollowPorts) => Promise<void>,
  ) => {
    const cancel = claim.task.state.name === 'cancelling'
    const wishes = { cancel, release: order.leave.aborted, unseen: false, stirred: false }
    const own = {
      ...ports,
      store: { ...store, changeCounter },
      worktrees: ports.worktrees.withUmask(claim.task.request.umask),
    }
    const over = guard(claim, order, own, async () =>
      run({ ...claim, agent: await own.findAgent(claim.task.agent) }, wishes, own),
    )
      .catch((error: unknown) => {
        trouble ??= { error }
      })
      .finally(() => {
        attended.delete(claim.attempt.task)
        seen = UNSEEN
        ticker.wake()
      })
    const needsSlot = claim.task.request.opened === null
    attended.set(claim.attempt.task, { wishes, over, needsSlot })
  }

  const adopt = async () => {
    const found = await store.claimActive()
    const anew = found.filter(({ attempt }) => !attended.has(attempt.task))
    if (anew.length === 0) return
    const worktrees = new Map((await store.listWorktrees()).map(one => [one.id, one]))
    for (const { task, attempt, tries } of anew) {
      order.log(`adopting ${attempt.task} (try ${attempt.fence}, ${task.state.name})`)
      const known = { stored: worktrees.get(task.request.workplace.id), tries }
      attend({ task, attempt }, (claimed, wishes, own) => adoptAttempt(claimed, known, wishes, own))
    }
  }

  const freeSlots = () => {
    const taken = [...attended.values()].filter(one => one.needsSlot && !one.wishes.unseen)
    return order.slots - taken.length
  }
  const claimNext = (which: ClaimScope) => store.claimNext(clock.now(), chooseMode, which)
  const claimForSlot = async () => {
    const free = freeSlots()
    if (free <= 0) return undefined
    // What will go on in a moment keeps its slot: behind a new task it might wait for hours.
    const returning = await store.countWaking(clock.now() + SLOT_KEPT_MS)
    return await claimNext(free > returning ? 'any' : 'interrupted')
  }
  const claim = async () => {
    for (;;) {
      const next =
        (await claimNext('opened')) ?? (await claimForSlot()) ?? (await claimNext('delegated'))
      if (next === undefined) return
      reach('claim.committed')
      const { task, attempt, interruptedBy } = next
      order.log(`starting ${attempt.task} (try ${attempt.fence}, ${attempt.mode})`)
      attend({ task, attempt }, (claimed, wishes, own) =>
        runAttempt(claimed, interruptedBy, wishes, own),
      )
      begunAt = clock.elapsed()
    }
  }

  await adopt()
  reach('worker.adopted')
  // Beside the work: nobody waits for it, and a later worker does it as well.
  void reconcile(ports).then(
    done => done.forEach(order.log),
    (error: unknown) => order.log(`not reconciled: ${messageOf(error)}`),
  )
  void forgetTokens(store, ports.tokens).catch((error: unknown) =>
    order.log(`tokens were not looked through: ${messageOf(error)}`),
  )
  const house = housekeeping(order, () => attended.size === 0)
  const deliverer = makeDeliverer({
    ...ports,
    log: order.log,
    onTrouble: error => {
      if (isStoreTrouble(error) || isMachineTrouble(error)) trouble ??= { error }
      else order.log(`not delivered: ${messageOf(error)}`)
    },
  })
  const callers = watchCallers(ports, order.log)
  const isDone = () => !house.isBusy() && deliverer.isDone(idleSince)
  let idleSince = clock.elapsed()
  let quietSince = clock.elapsed()
  let keptAt = clock.elapsed()
  let isKept = false
  let wakeAt: number | undefined
  let lookedAt = clock.now()
  /** Slots that were free when work was last looked for. */
  let offered = 0
  while (!order.leave.aborted && trouble === undefined) {
    for (const { wishes } of attended.values()) {
      if (wishes.stirred) seen = UNSEEN
      wishes.stirred = false
    }
    deliverer.look()
    if (await callers.look()) seen = UNSEEN
    const counter = store.changeCounter()
    const free = freeSlots()
    const now = clock.now()
    // A clock that was set back may have ended a wait.
    const isDue = wakeAt !== undefined && (wakeAt <= now || now < lookedAt)
    lookedAt = now
    if (counter !== seen || free !== offered || isDue) {
      // Others may have put something away.
      if (counter !== seen) isKept = false
      seen = counter
      offered = free
      // Before anything is begun: after a reboot, callers of queued tasks are gone.
      await callers.read()
      await callers.look()
      await passOnCancels(attended, adopt, ports)
      // `doctor --fix` may have brought back one that was lost.
      if ((await store.countTasks(activeStates)) > attended.size) await adopt()
      await claim()
      wakeAt = await store.nextWake()
    }
    const elapsed = clock.elapsed()
    if (attended.size > 0) {
      quietSince = elapsed
      isKept = false
    }
    const isQuiet = !isKept && elapsed - quietSince >= QUIET_MS
    const isSettled = begunAt !== undefined && elapsed - begunAt >= SETTLING_MS
    if (isQuiet || isSettled || elapsed - keptAt >= HOUSE_EVERY_MS) {
      keptAt = elapsed
      begunAt = undefined
      isKept = true
      house.begin()
    }
    const isAwaited = attended.size > 0 || wakeAt !== undefined || callers.isAnyTied()
    if (isAwaited) idleSince = clock.elapsed()
    if (clock.elapsed() - idleSince >= order.idleMs && isDone()) return
    await ticker.next(untilNextWake(wakeAt, freeSlots() > 0, clock.now()))
  }
  await Promise.all([house.leave(), deliverer.leave()])
  if (trouble !== undefined) throw trouble.error
  for (const { wishes } of attended.values()) wishes.release = true
  ticker.wake()
  await Promise.all([...attended.values()].map(({ over }) => over))
}

/** Beside the work, at most once at a time. */
function housekeeping({ keepHouse, log }: WorkOrder, isIdle: () => boolean) {
  const leaving = new AbortController()
  let over: Promise<void> | undefined
  return {
    begin() {
      const isQuiet = () => isIdle() && !leaving.signal.aborted
      over ??= keepHouse({ leave: leaving.signal, isQuiet })
        .then(
          done => done.forEach(log),
          (error: unknown) => log(`the house was not put in order: ${messageOf(error)}`),
        )
        .finally(() => {
          over = undefined
        })
    },
    isBusy: () => over !== undefined,
    async leave() {
      leaving.abort()
      await over
    },
  }
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
      reach('cancel.heard')
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
  { task, attempt }: Claim,
  order: WorkOrder,
  ports: FollowPorts,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
  } catch (error) {
    // Trouble with the store or the disk is not the attempt's.
    if (isStoreTrouble(error) || isMachineTrouble(error)) throw error
    if (isRowTrouble(error)) {
      order.log(`${attempt.task} is left alone: ${messageOf(error)}`)
      return
    }
    order.log(`failing ${attempt.task}: ${error instanceof Error ? error.stack : error}`)
    const ofAgent = {
      task: attempt.task,
      fence: attempt.fence,
      runDirectory: ports.files.runDirectory(attempt.task, attempt.fence),
      worktree: null,
    }
    for (const processes of [ofAgent, ...verificationsOf({ attempt }, ports)]) {
      const { ended } = await ports.host.stop(processes, { graceful: null, graceMs: 0 })
      // What lives on is taken up again by the next worker.
      if (!ended) throw error
    }
    const hint = `the work is still in ${task.worktree?.path ?? 'its worktree'}`
    const failure = { hint, ...failureOf('internal_error', error) }
    await recordEnd({ attempt }, { kind: 'attempt_failed', failure, result: null }, ports)
  }
}
