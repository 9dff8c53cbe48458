/**
 * What the end of an attempt comes to: its work is collected, its agent asked, its work verified, and
 * what limits it is held against it. Nothing of it lives any more, and nothing is written down yet.
 */
import { describeBudget, isUsedUp, limitOf, spentOf } from '../domain/budget.ts'
import { type Continuation, continueAfter } from '../domain/continuation.ts'
import { reach } from '../domain/crash-points.ts'
import { judgeMemory } from '../domain/memory.ts'
import {
  type AgentExit,
  type AttemptOutcome,
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
import type { Progress } from '../ports/store.ts'
import { afterLimit } from './after-limit.ts'
import { listUnheard } from './all-said.ts'
import { type Collected, describeLoss } from './collect.ts'
import { collectPatiently } from './collect-patiently.ts'
import {
  type AttemptEnd,
  type FollowPorts,
  processesOf,
  type Underway,
  type Wishes,
} from './follow-attempt.ts'
import { judgeOpened } from './open.ts'
import { loadRedact } from './read-output.ts'
import { isSetUpOver, judgeSetUp } from './set-up.ts'
import { findVerifiedResult, verifyWork } from './verify.ts'

/** So long whoever opened something may take to see that it has ended: it may be stopped itself. */
const OPENER_MS = 10_000
/** Of a long stderr, the end says why. */
const STDERR_BYTES = 8_192

/** `hands_off`: a newer attempt exists, or this worker leaves; the next one judges. */
type Judgement = Transition | 'hands_off'

export async function judgeEnd(
  underway: Underway,
  end: AttemptEnd,
  progress: Progress,
  exit: AgentExit,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Judgement> {
  const { translation } = progress
  const { task, attempt, worktree, agent } = underway
  // The newest words of a turn that did not end are no answer; they stand in the log.
  const isAnswer = translation.turn?.ok === true || !agent.capabilities.takesPrompt
  const answer = isAnswer ? translation.answer : null
  // Before set-up is over no agent has been in it: whatever is there, is not work.
  const held = isSetUpOver(task, ports.files) ? worktree : null
  const withWork = async (
    judge: (work: Collected) => Judgement | Promise<Judgement>,
  ): Promise<Judgement> => {
    const before = await findVerifiedResult(underway, ports)
    const work =
      before === null
        ? await collectPatiently({ ...underway, worktree: held }, answer, wishes, ports)
        : ({ ok: true, result: before } as const)
    return work === 'hands_off' ? work : await judge(work)
  }
  const failed = (failure: Failure) =>
    withWork(({ result }) => ({ kind: 'attempt_failed', failure, result }))
  /** Work that cannot be collected is no success. */
  const succeeded = (judge: (result: Result) => Judgement | Promise<Judgement>) =>
    withWork(work => {
      const { result } = work
      return work.ok ? judge(result) : { kind: 'attempt_failed', failure: work.failure, result }
    })

  if (end.kind === 'cancelled') {
    return await withWork(({ result }) => ({ kind: 'attempt_cancelled', result }))
  }
  // Asked before the agent is: every agent reports success from a directory that is gone.
  const loss = worktree === null ? null : describeLoss(task, worktree, ports)
  if (loss !== null) return await failed(loss)
  if (end.kind === 'timed_out') return await failed(timedOut(end.afterMs))
  if (task.request.opened !== null) {
    const failure = await judgeDriven(underway, end, exit, wishes, ports)
    if (failure === 'hands_off') return failure
    if (failure !== null) return await failed(failure)
    return await succeeded(result => ({ kind: 'attempt_succeeded', result }))
  }

  const afterMs = end.kind === 'set_up_too_long' ? end.afterMs : null
  const outcome = redactOutcome(
    (await judgeSetUp(task, attempt, worktree, afterMs, ports)) ??
      (await judgeOutcome(underway, end, translation, exit, ports)),
    await loadRedact(attempt.task, ports.files),
  )
  switch (outcome.kind) {
    case 'succeeded':
      return await succeeded(result => verified(underway, result, progress, wishes, ports))
    case 'failed':
      return await failed(outcome.failure)
    case 'limited':
    case 'interrupted': {
      const next = await planNext(underway, end, outcome, progress, ports)
      return next.kind === 'give_up' ? await failed(next.failure) : next
    }
  }
}

/** What a person drove; null: it is over, and well. */
async function judgeDriven(
  underway: Underway,
  end: AttemptEnd,
  exit: AgentExit,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Failure | null | 'hands_off'> {
  const { task, attempt, worktree } = underway
  const setUp = await judgeSetUp(task, attempt, worktree, null, ports)
  const isDeserted = end.kind === 'exited' && (await isTerminalLost(underway, wishes, ports))
  if (isDeserted === 'hands_off') return isDeserted
  return setUp?.kind === 'failed' ? setUp.failure : judgeOpened(end, exit, isDeserted, task)
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
): Promise<Judgement> {
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

/** The wait until the next attempt, or that there is none. */
async function planNext(
  { task: followed, attempt, agent }: Underway,
  end: AttemptEnd,
  outcome: Extract<AttemptOutcome, { readonly kind: 'limited' | 'interrupted' }>,
  { activity, usage }: Progress,
  { store, files, findAgent, clock }: FollowPorts,
): Promise<Transition | Extract<Continuation, { readonly kind: 'give_up' }>> {
  // As it stands now: its session may have become known during the attempt.
  const task = (await store.findTask(attempt.task)) ?? followed
  const overBudget = waitForBudget(task, end, usage)
  if (overBudget !== null) {
    const { failuresInRow } = task
    return { kind: 'attempt_interrupted', wait: overBudget, failuresInRow }
  }
  if (outcome.kind === 'limited') {
    return await afterLimit(task, outcome.failure, outcome.resetsAt, {
      findAgent,
      readEnvironment: () => files.readEnvironment(task.request.id),
      now: clock.now(),
    })
  }
  const { failure, notBefore } = outcome
  const continues = task.request.retryOnCrash ? 'rerun' : agent.capabilities.continues
  const now = clock.now()
  const next = continueAfter(task, failure, continues, activity, now, clock.random(), notBefore)
  if (next.kind === 'give_up') return next
  return { kind: 'attempt_interrupted', wait: next.wait, failuresInRow: next.failuresInRow }
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

/** Its turn is over, and its session goes on with what it was told. */
export function toldMore(now: number): Transition {
  return {
    kind: 'attempt_interrupted',
    wait: { reason: 'message', until: now },
    failuresInRow: 0,
  }
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
