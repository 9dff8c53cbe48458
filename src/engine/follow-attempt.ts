/**
 * Follows a live attempt until it ends: reads what it says, and waits for every way in which the
 * wait can end. The first cause is the one that counts.
 */
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { AgentExit } from '../domain/outcome.ts'
import { recoveryVerdict } from '../domain/recovery.ts'
import type { Task } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { ClaimedAttempt, Progress, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import type { Ticker } from './ticker.ts'

/** An attempt under way: what was asked, its claim, who does it, and where. */
export interface Underway {
  readonly task: Task
  readonly attempt: ClaimedAttempt
  readonly agent: Agent
  /** Null: there is none yet, or it was never made. */
  readonly worktree: WorktreeRecord | null
}

/** How an attempt ended, before it is judged. */
export type AttemptEnd =
  /** The agent process ended, and its wrapper said how. */
  | { readonly kind: 'exited'; readonly exit: AgentExit }
  /** Agent and wrapper are gone without a word. */
  | { readonly kind: 'died' }
  | { readonly kind: 'never_started'; readonly why: string }
  | { readonly kind: 'cancelled' }
  /** The limit that the user set. */
  | { readonly kind: 'timed_out'; readonly afterMs: number }
  | { readonly kind: 'worktree_lost' | 'repository_lost' }

/** What others want of an attempt while it is followed. */
export interface Wishes {
  cancel: boolean
  release: boolean
  /** Said back: its processes cannot be seen from here, so it takes none of our slots. */
  unseen: boolean
}

export interface FollowPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
  readonly clock: Clock
  readonly ticker: Ticker
}

/**
 * Every so many looks the worktree is looked at too: it is to be noticed within seconds that it is
 * lost, and it is looked at again before any judgement.
 */
const LOOKS_PER_WORKTREE_LOOK = 4

/** `hands_off`: a newer attempt exists, or this worker leaves. */
export async function followAttempt(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<AttemptEnd | 'hands_off'> {
  const { attempt, worktree } = underway
  const { host, files, worktrees, clock, ticker } = ports
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  let progress = await loadProgress(underway, ports.store)
  let looks = 0
  let starting = underway.task.state.name === 'starting'
  const deadline = await findDeadline(underway, ports.store)
  for (;;) {
    // Looked at before reading: what an agent wrote before its end is then surely read below.
    const run = host.lookAtRun(runDirectory)
    if (starting && run.agent !== null) {
      starting = false
      const started = { kind: 'agent_started' } as const
      reach('follow.agent-seen')
      await ports.store.transition(attempt.task, attempt.fence, started, clock.now())
      reach('follow.running')
    }
    const step = await takeStep(underway, progress, false, ports)
    if (step === 'superseded') return 'hands_off'
    progress = step.progress

    if (wishes.release) return 'hands_off'
    if (wishes.cancel) return { kind: 'cancelled' }
    if (deadline !== null && clock.now() >= deadline.at) {
      return { kind: 'timed_out', afterMs: deadline.afterMs }
    }
    if (worktree !== null && looks++ % LOOKS_PER_WORKTREE_LOOK === 0) {
      const place = worktrees.lookAtWorktree(worktree)
      if (place !== 'present') return { kind: place }
    }
    const verdict = recoveryVerdict(run, clock.now())
    wishes.unseen = verdict === 'wait' && run.agent === 'unknown'
    switch (verdict) {
      case 'collect':
        return { kind: 'exited', exit: run.exit ?? { kind: 'unknown' } }
      case 'reap':
        return { kind: 'died' }
      case 'relaunch':
        return { kind: 'never_started', why: 'nothing of a launch was found' }
      case 'adopt':
      case 'wait':
        if (!step.more) await ticker.next()
    }
  }
}

/** When the time is up that the user gave the task; what earlier attempts took counts. */
async function findDeadline(
  { task, attempt }: Underway,
  store: Store,
): Promise<{ readonly at: number; readonly afterMs: number } | null> {
  const { timeoutMs } = task.request
  if (timeoutMs === null) return null
  let left = timeoutMs
  for (const { attempt: earlier, endedAt } of await store.listAttempts(attempt.task)) {
    if (earlier.fence < attempt.fence) left -= (endedAt ?? earlier.startedAt) - earlier.startedAt
  }
  return { at: attempt.startedAt + left, afterMs: timeoutMs }
}

/** Where the reading of an attempt's output stands; a new attempt begins at the beginning. */
export async function loadProgress({ attempt, agent }: Underway, store: Store): Promise<Progress> {
  return (
    (await store.findProgress(attempt.task, attempt.fence)) ?? {
      offset: 0,
      lines: 0,
      translation: agent.translator.initial,
    }
  )
}

/**
 * Of a program that only prints, so many lines go into the log; the rest is in the raw output. (An
 * agent's own events are always kept.)
 */
const OUTPUT_LINES_KEPT = 20_000

/** Reads to the end of what is there, also a last line without an end: nobody writes any more. */
export async function takeRest(
  underway: Underway,
  from: Progress,
  ports: FollowPorts,
): Promise<Progress | 'superseded'> {
  for (let progress = from; ; ) {
    const step = await takeStep(underway, progress, true, ports)
    if (step === 'superseded' || !step.more) return step === 'superseded' ? step : step.progress
    progress = step.progress
  }
}

/** Takes the next lines, if there are any. `more`: there are further ones already. */
async function takeStep(
  { attempt, agent }: Underway,
  from: Progress,
  ended: boolean,
  { store, files, host, clock }: FollowPorts,
): Promise<{ progress: Progress; more: boolean } | 'superseded'> {
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  const { lines, offset, atEnd } = host.readLines(runDirectory, from.offset, ended)
  if (offset === from.offset) return { progress: from, more: false }
  let { translation } = from
  let count = from.lines
  const events: AgentEvent[] = []
  for (const line of lines) {
    const step = agent.translator.translate(translation, line)
    translation = step.state
    count++
    events.push(...step.events.filter(({ kind }) => isKept(kind, count)))
    if (count === OUTPUT_LINES_KEPT + 1 && step.events.some(({ kind }) => !isKept(kind, count))) {
      events.push({ kind: 'warning_given', message: 'further output is in `logs --raw` only' })
    }
  }
  const progress = { offset, lines: count, translation }
  reach('follow.lines-read')
  const isCurrent = await store.recordProgress(attempt, progress, events, clock.now())
  reach('follow.step-recorded')
  return isCurrent ? { progress, more: !atEnd } : 'superseded'
}

function isKept(kind: AgentEvent['kind'], line: number): boolean {
  return kind !== 'output_given' || line <= OUTPUT_LINES_KEPT
}
