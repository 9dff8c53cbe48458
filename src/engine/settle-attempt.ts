/**
 * Ends an attempt for good: everything that it started is stopped, its last words are read, and
 * what it comes to is judged, collected and written down. Works from the store, the run directory
 * and the worktree alone, so that any worker can do it for any other.
 */
import { reach } from '../domain/crash-points.ts'
import { describeKills } from '../domain/memory.ts'
import { type AgentExit, describeExit } from '../domain/outcome.ts'
import type { Transition } from '../domain/transitions.ts'
import type { Store } from '../ports/store.ts'
import {
  type AttemptEnd,
  type FollowPorts,
  processesOf,
  type Underway,
  type Wishes,
} from './follow-attempt.ts'
import { forgetSecrets } from './forget-secrets.ts'
import { judgeEnd, toldMore } from './judge-end.ts'
import { noteLastSession } from './last-session.ts'
import { passOnMessages, takeKept } from './pass-on-messages.ts'
import { loadReading, takeRest } from './read-output.ts'
import { isUnused, retireUnused } from './retire.ts'
import { endVerification, isVerifying } from './verify.ts'

/** How long a cancelled agent may take to put its things in order. */
const GRACE_MS = 2_000

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
