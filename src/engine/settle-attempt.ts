/**
 * Ends an attempt for good: everything that it started is stopped, its last words are read, and
 * what it comes to is judged, collected and written down. Works from the store, the run directory
 * and the worktree alone, so that any worker can do it for any other.
 */
import type { Activity } from '../domain/activity.ts'
import { describeBudget, isUsedUp, limitOf, spentOf } from '../domain/budget.ts'
import { continueAfter } from '../domain/continuation.ts'
import { reach } from '../domain/crash-points.ts'
import { describeKills, judgeMemory } from '../domain/memory.ts'
import {
  type AgentExit,
  type AttemptOutcome,
  describeExit,
  type Failure,
  outcomeOf,
  type Result,
  type Usage,
} from '../domain/outcome.ts'
import { redactOutcome } from '../domain/redact.ts'
import { stallFailure } from '../domain/stall.ts'
import type { Interruption, Task } from '../domain/task.ts'
import type { Transition } from '../domain/transitions.ts'
import {
  askToMend,
  describeJudged,
  describeVerify,
  isToRun,
  mayMend,
  verifyFailure,
} from '../domain/verify.ts'
import type { Translation } from '../ports/agent.ts'
import type { Progress, Store } from '../ports/store.ts'
import { afterLimit } from './after-limit.ts'
import { listUnheard } from './all-said.ts'
import { type Collected, collectWork, describeLoss } from './collect.ts'
import {
  type AttemptEnd,
  type FollowPorts,
  processesOf,
  type Underway,
  type Wishes,
} from './follow-attempt.ts'
import { forgetSecrets } from './forget-secrets.ts'
import { noteLastSession } from './last-session.ts'
import { judgeOpened } from './open.ts'
import { passOnMessages, takeKept } from './pass-on-messages.ts'
import { loadReading, loadRedact, takeRest } from './read-output.ts'
import { isUnused, retireUnused } from './retire.ts'
import { isSetUpOver, judgeSetUp } from './set-up.ts'
import { endVerification, findVerifiedResult, isVerifying, verifyWork } from './verify.ts'

/** So long whoever opened something may take to see that it has ended: it may be stopped itself. */
const OPENER_MS = 10_000
/** How long a cancelled agent may take to put its things in order. */
const GRACE_MS = 2_000
/** Of a long stderr, the end says why. */
const STDERR_BYTES = 8_192

export async function settleAttempt(
  followed: Underway,
  end: AttemptEnd,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<void> {
  const { attempt } = followed
  const { store, ticker } = ports
  // Then all that the agent started was stopped before, and what lives now is to be waited for.
  const isVerified = isVerifying(followed, ports)
  if (isVerified && !isOver(end) && !(await endVerification(followed, wishes, ports))) return
  if (!(isVerified && isOver(end)) && !(await stopEverything(followed, end, wishes, ports))) return
  reach('settle.stopped')
  // As it stands now: its files may have been kept aside during the attempt.
  const underway = { ...followed, task: (await store.findTask(attempt.task)) ?? followed.task }

  const rest = await takeRest(underway, await loadReading(underway, ports), ports)
  if (rest === 'superseded') return
  const progress = await noteLastSession(underway, rest, ports)
  if (progress === 'superseded') return
  reach('settle.rest-taken')
  await passOnMessages(attempt, ports).look(progress.translation, [])
  await takeKept(underway, progress.translation.session, ports)
  const exit = end.kind === 'exited' ? end.exit : lastExit(underway, ports)
  const judged = await judgeEnd(underway, end, progress, exit, wishes, ports)
  if (judged === 'hands_off') return
  // It may have come to another end than that of a verification that a worker before this one began.
  if (isVerifying(underway, ports) && !(await endVerification(underway, wishes, ports))) return
  reach('settle.judged')
  const kills = ports.host.countMemoryKills(processesOf(followed, ports).runDirectory)
  const ending = `try ${attempt.fence} ended: ${describeEnd(end, exit)}${describeKills(kills)}`
  const isRecorded =
    (await recordEnd(underway, judged, ports, ending)) ||
    // No success before all is heard that was said to it: then its session goes on.
    (judged.kind === 'attempt_succeeded' &&
      (await recordEnd(underway, toldMore(ports.clock.now()), ports, ending)))
  if (!isRecorded && (await isCancelling(underway, store))) {
    // Its end was asked for in the meantime: it is not continued, and what it has done is kept.
    const asked = { kind: 'cancelled' } as const
    const cancelled = await judgeEnd(underway, asked, progress, exit, wishes, ports)
    if (cancelled === 'hands_off') return
    await recordEnd(underway, cancelled, ports, ending)
  }
  // A wait of no time, or a slot that is free now: nobody should wait for the next look.
  ticker.wake()
}

/**
 * Writes the end of an attempt down. A task that has ended needs no secrets any more, nor a
 * worktree in which nothing ever ran. False: it does not end so.
 */
export async function recordEnd(
  { attempt }: Pick<Underway, 'attempt'>,
  event: Transition,
  ports: FollowPorts,
  ending?: string,
): Promise<boolean> {
  const { store, files, clock } = ports
  const now = clock.now()
  const task = await store.transition(attempt.task, attempt.fence, event, now, ending)
  reach('settle.committed')
  if (task !== undefined && task.state.name !== 'waiting') {
    await forgetSecrets(task, now, ports)
    reach('settle.environment-forgotten')
    if (isUnused(task, files)) await retireUnused(task, ports)
  }
  return task !== undefined
}

function toldMore(now: number): Transition {
  return {
    kind: 'attempt_interrupted',
    wait: { reason: 'message', until: now },
    failuresInRow: 0,
  }
}

async function isCancelling({ attempt }: Underway, store: Store): Promise<boolean> {
  const task = await store.findTask(attempt.task)
  return task?.attempts === attempt.fence && task.state.name === 'cancelling'
}

/**
 * No attempt starts, and no result is taken, while a process of this one lives. False: this worker
 * leaves before that; the next one goes on. (What cannot be seen from here cannot be ended from
 * here: then that is how it ends.)
 */
async function stopEverything(
  underway: Underway,
  end: AttemptEnd,
  wishes: Wishes,
  { host, files, ticker }: FollowPorts,
): Promise<boolean> {
  const processes = processesOf(underway, { files })
  const order = {
    graceful: isAtWork(end) ? gracefulOf(underway) : null,
    graceMs: GRACE_MS,
  }
  while (!(await host.stop(processes, order)).ended) {
    if (wishes.release) return false
    wishes.unseen = host.lookAtRun(processes.runDirectory).agent === 'unknown'
    await ticker.next()
  }
  return true
}

/** What is made for a terminal knows that as its end. */
function gracefulOf({ task, agent }: Underway) {
  return task.request.opened === null ? agent.capabilities.gracefulSignal : 'SIGTERM'
}

/** Whether its agent was done, or gone; all else ends a verification too. */
function isOver({ kind }: AttemptEnd): boolean {
  return ['exited', 'died', 'finished'].includes(kind)
}

/** Whether its agent lived on when it was to end. */
function isAtWork({ kind }: AttemptEnd): boolean {
  return ['cancelled', 'abandoned', 'timed_out', 'finished', 'over_budget', 'stalled'].includes(
    kind,
  )
}

/** An agent that was stopped, or whose place was lost, may have ended in time to say how. */
function lastExit({ attempt }: Underway, { host, files }: FollowPorts): AgentExit {
  return host.lookAtRun(files.runDirectory(attempt.task, attempt.fence)).exit ?? { kind: 'unknown' }
}

async function judgeEnd(
  underway: Underway,
  end: AttemptEnd,
  progress: Progress,
  exit: AgentExit,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Transition | 'hands_off'> {
  const { translation, activity, usage } = progress
  const { worktree, agent } = underway
  // The newest words of a turn that did not end are no answer; they stand in the log.
  const isAnswer = translation.turn?.ok === true || !agent.capabilities.takesPrompt
  const answer = isAnswer ? translation.answer : null
  // Before set-up is over no agent has been in it: whatever is there, is not work.
  const held = isSetUpOver(underway.task, ports.files) ? worktree : null
  const collect = async (): Promise<Collected | 'hands_off'> => {
    const result = await findVerifiedResult(underway, ports)
    if (result !== null) return { ok: true, result }
    return await collectPatiently({ ...underway, worktree: held }, answer, wishes, ports)
  }
  const failed = async (failure: Failure): Promise<Transition | 'hands_off'> => {
    const collected = await collect()
    if (collected === 'hands_off') return collected
    return { kind: 'attempt_failed', failure, result: collected.result }
  }
  if (end.kind === 'cancelled') {
    const collected = await collect()
    if (collected === 'hands_off') return collected
    return { kind: 'attempt_cancelled', result: collected.result }
  }
  // Asked before the agent is: every agent reports success from a directory that is gone.
  const loss = worktree === null ? null : describeLoss(underway.task, worktree, ports)
  if (loss !== null) return await failed(loss)

  if (end.kind === 'timed_out') return await failed(timedOut(end.afterMs))
  if (underway.task.request.opened !== null) {
    const setUp = await judgeSetUp(underway.task, underway.attempt, worktree, null, ports)
    const isDeserted = end.kind === 'exited' && (await isTerminalLost(underway, wishes, ports))
    if (isDeserted === 'hands_off') return isDeserted
    const ended = judgeOpened(end, exit, isDeserted, underway.task)
    const failure = setUp?.kind === 'failed' ? setUp.failure : ended
    if (failure !== null) return await failed(failure)
    const collected = await collect()
    if (collected === 'hands_off') return collected
    return collected.ok
      ? { kind: 'attempt_succeeded', result: collected.result }
      : { kind: 'attempt_failed', failure: collected.failure, result: collected.result }
  }

  const afterMs = end.kind === 'set_up_too_long' ? end.afterMs : null
  const outcome = redactOutcome(
    (await judgeSetUp(underway.task, underway.attempt, worktree, afterMs, ports)) ??
      (await judgeOutcome(underway, end, translation, exit, ports)),
    await loadRedact(underway.attempt.task, ports.files),
  )
  switch (outcome.kind) {
    case 'succeeded': {
      const collected = await collect()
      if (collected === 'hands_off') return collected
      const { result } = collected
      return collected.ok
        ? await verified(underway, result, progress, wishes, ports)
        : { kind: 'attempt_failed', failure: collected.failure, result }
    }
    case 'failed':
      return await failed(outcome.failure)
    case 'limited':
    case 'interrupted': {
      const task = (await ports.store.findTask(underway.attempt.task)) ?? underway.task
      const overBudget = waitForBudget(task, end, usage)
      if (overBudget !== null) {
        const { failuresInRow } = task
        return { kind: 'attempt_interrupted', wait: overBudget, failuresInRow }
      }
      if (outcome.kind === 'limited') {
        return await afterLimit(task, outcome.failure, outcome.resetsAt, {
          findAgent: ports.findAgent,
          readEnvironment: () => ports.files.readEnvironment(task.request.id),
          now: ports.clock.now(),
        })
      }
      const { failure, notBefore } = outcome
      const next = continuation({ ...underway, task }, failure, activity, ports, notBefore)
      return next.kind === 'wait'
        ? { kind: 'attempt_interrupted', wait: next.wait, failuresInRow: next.failuresInRow }
        : await failed(next.failure)
    }
  }
}

/** What was opened has ended; whoever opened it says by and by whether the terminal was there by then. */
async function isTerminalLost(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<boolean | 'hands_off'> {
  const { runDirectory } = processesOf(underway, ports)
  const until = ports.clock.now() + OPENER_MS
  for (;;) {
    const opener = ports.host.lookAtOpener(runDirectory)
    if (opener !== 'alive' || ports.clock.now() > until) {
      return opener === 'dead' || opener === 'hung_up'
    }
    if (wishes.release) return 'hands_off'
    await ports.ticker.next()
  }
}

function timedOut(afterMs: number): Failure {
  return {
    code: 'timed_out',
    message: `it was at work for ${afterMs / 1000} s, which is the limit it was given`,
    hint: 'holdfast resume goes on with it; --timeout sets another limit',
  }
}

/**
 * What a success comes to once its work was looked at. It was collected before, and is not again by
 * whoever goes on: nothing that the command leaves behind is taken for the agent's.
 */
async function verified(
  { task, attempt, agent, worktree }: Underway,
  result: Result,
  progress: Progress,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Transition | 'hands_off'> {
  const { verify } = task.request
  if (verify === null || worktree === null) return { kind: 'attempt_succeeded', result }
  if (!isToRun(verify)) {
    const note = `not verified: ${describeVerify(verify)} is not trusted`
    await ports.store.recordNote(
      attempt.task,
      attempt.fence,
      'task_changed',
      note,
      ports.clock.now(),
    )
    return { kind: 'attempt_succeeded', result }
  }
  // It goes on with what it was told meanwhile: there will be more to look at.
  if ((await listUnheard(task, ports.store)).length > 0)
    return { kind: 'attempt_succeeded', result }
  const underway = { task, attempt, agent, worktree }
  const looked = await verifyWork(underway, verify, result, progress, wishes, ports)
  if (looked === 'hands_off') return looked
  if (looked.kind === 'told_more') return { kind: 'attempt_succeeded', result }
  if (looked.kind === 'cancelled') return { kind: 'attempt_cancelled', result }
  if (looked.kind === 'timed_out') {
    return { kind: 'attempt_failed', failure: timedOut(looked.afterMs), result }
  }
  const { judged, log } = looked
  const loss = describeLoss(task, worktree, ports)
  const isToMend = loss === null && mayMend(judged, agent.capabilities.continues)
  const message = isToMend ? askToMend(verify, judged) : null
  const told = { note: describeJudged(verify, judged), message }
  const now = ports.clock.now()
  if (!(await ports.store.recordVerification(attempt, judged, told, now))) return 'hands_off'
  reach('verify.judged')
  if (judged.state === 'passed' && loss === null) return { kind: 'attempt_succeeded', result }
  if (isToMend) return toldMore(now)
  const failure = loss ?? verifyFailure(verify, judged, log)
  return { kind: 'attempt_failed', failure, result }
}

/** Null: there is something left of it, or none was set. */
function waitForBudget(task: Task, end: AttemptEnd, usage: Usage | null): Interruption | null {
  const { budget } = task
  if (budget === null || !(end.kind === 'over_budget' || isUsedUp(budget, usage))) return null
  const spent = spentOf(budget, usage) ?? limitOf(budget)
  const message = `it has used ${describeBudget(budget, spent)} of ${describeBudget(budget)}`
  const hint = `holdfast resume ${task.request.id} --budget gives it more`
  return { reason: 'budget', failure: { code: 'budget_reached', message, hint } }
}

/** A lock of the repository is held for milliseconds. */
const COLLECT_TRIES = 5
/** A full disk is full for as long as it takes: looked at again after so many ticks. */
const TICKS_PER_TRY = 10
/** Whatever took so long takes as long again. */
const PATIENCE_MS = 60_000

/**
 * Collects, and again after a while if something was in the way. What could not be collected is
 * never passed over: it stands in the log and in the result. Where a disk is full, the work is
 * safe where it is, and waits for room.
 */
async function collectPatiently(
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

async function judgeOutcome(
  { task, attempt, agent }: Underway,
  end: AttemptEnd,
  translation: Translation,
  exit: AgentExit,
  { files, host, clock }: FollowPorts,
): Promise<AttemptOutcome> {
  if (end.kind === 'never_started') {
    return { kind: 'interrupted', failure: { code: 'launch_failed', message: end.why } }
  }
  if (end.kind === 'refused') return { kind: 'failed', failure: end.failure }
  const outcome = await askAgent({ attempt, agent }, translation, exit, { files, host, clock })
  if (end.kind === 'exited') {
    const kills = host.countMemoryKills(files.runDirectory(attempt.task, attempt.fence))
    return judgeMemory(outcome, exit, kills, task.request.memoryBytes)
  }
  if (end.kind !== 'stalled') return outcome
  // It may have slept through a limit, or for as long as it was asked to; or it had done all, and
  // did not come to its end.
  const isTold =
    outcome.kind === 'interrupted' ? outcome.notBefore !== undefined : outcome.kind !== 'failed'
  return isTold ? outcome : outcomeOf(stallFailure(end.silentMs, end.exertion))
}

async function askAgent(
  { attempt, agent }: Pick<Underway, 'attempt' | 'agent'>,
  translation: Translation,
  exit: AgentExit,
  { files, host, clock }: Pick<FollowPorts, 'files' | 'host' | 'clock'>,
): Promise<AttemptOutcome> {
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  const stderr = host.readStderrTail(runDirectory, STDERR_BYTES)
  const { TZ } = await files.readEnvironment(attempt.task)
  return agent.judge(translation, {
    exit,
    stderr,
    saidAt: host.lastOutputAt(runDirectory) ?? clock.now(),
    timeZone: TZ || Intl.DateTimeFormat().resolvedOptions().timeZone,
  })
}

/** Judged by the task as it stands now: its session may have become known during the attempt. */
function continuation(
  { task, agent }: Underway,
  failure: Failure,
  activity: Activity,
  { clock }: FollowPorts,
  notBefore: number | undefined,
) {
  return continueAfter(
    task,
    failure,
    task.request.retryOnCrash ? 'rerun' : agent.capabilities.continues,
    activity,
    clock.now(),
    clock.random(),
    notBefore,
  )
}

function describeEnd(end: AttemptEnd, exit: AgentExit): string {
  switch (end.kind) {
    case 'exited':
      return describeExit(exit)
    case 'died':
      return 'agent and wrapper were gone without a word'
    case 'never_started':
      return end.why
    case 'refused':
      return end.failure.message
    case 'timed_out':
      return `its time was up (${describeExit(exit)})`
    case 'set_up_too_long':
      return 'its set-up took too long'
    case 'stalled':
      return `it stood still for ${Math.round(end.silentMs / 1000)} s (${describeExit(exit)})`
    case 'over_budget':
      return `its budget is used up (${describeExit(exit)})`
    case 'finished':
      return 'its turn is over'
    case 'abandoned':
      return `nobody was left at its terminal (${describeExit(exit)})`
    case 'cancelled':
      return `cancelled (${describeExit(exit)})`
    default:
      return end.kind.replace('_', ' ')
  }
}
