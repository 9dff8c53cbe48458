/**
 * Follows a live attempt until it ends: reads what it says, and waits for every way in which the
 * wait can end. The first cause is the one that counts.
 */
import { addEvents, addLook } from '../domain/activity.ts'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { AgentExit, Failure } from '../domain/outcome.ts'
import { recoveryVerdict } from '../domain/recovery.ts'
import type { Task } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { ClaimedAttempt, Progress, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { isSetUpOver, trustedCommand } from './set-up.ts'
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
  /** It was not started, and trying again would not help. */
  | { readonly kind: 'refused'; readonly failure: Failure }
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
  readonly confinement: Confinement
  readonly clock: Clock
  readonly ticker: Ticker
}

/**
 * Every so many looks the worktree is looked at too: it is to be noticed within seconds that it is
 * lost, and it is looked at again before any judgement.
 */
const LOOKS_PER_WORKTREE_LOOK = 4

/** So much of a silent agent's time a killed worker may forget: it only sets limits in hours. */
const KEEP_TIME_EVERY_MS = 5 * 60_000

/** `hands_off`: a newer attempt exists, or this worker leaves. */
export async function followAttempt(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<AttemptEnd | 'hands_off'> {
  const { end, progress } = await watchAttempt(underway, wishes, ports)
  // How long it was at work is asked by whoever settles it, which may be another worker.
  return end === 'superseded' || !(await keepTime(underway, progress, ports)) ? 'hands_off' : end
}

async function watchAttempt(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<{ end: AttemptEnd | 'hands_off' | 'superseded'; progress: Progress }> {
  const { attempt, worktree } = underway
  const { host, files, worktrees, clock, ticker } = ports
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  let progress = await loadProgress(underway, ports.store)
  let keptMs = progress.activity.activeMs
  let lookedAt = clock.elapsed()
  let looks = 0
  let starting = underway.task.state.name === 'starting'
  const limit = await findTimeLimit(underway, ports.store)
  for (;;) {
    // Looked at before reading: what an agent wrote before its end is then surely read below.
    const run = host.lookAtRun(runDirectory)
    if (starting && run.agent !== null && isSetUpOver(underway.task, files)) {
      starting = false
      // With a set-up, the launch was over before this.
      if (trustedCommand(underway.task) !== null) await host.keepStart(runDirectory)
      const started = { kind: 'agent_started' } as const
      reach('follow.agent-seen')
      await ports.store.transition(attempt.task, attempt.fence, started, clock.now())
      reach('follow.running')
    }
    const look = clock.elapsed()
    if (run.agent === 'alive') {
      progress = { ...progress, activity: addLook(progress.activity, look - lookedAt) }
    }
    lookedAt = look
    const step = await takeStep(underway, progress, false, ports)
    if (step === 'superseded') return { end: step, progress }
    if (step.progress !== progress) keptMs = step.progress.activity.activeMs
    progress = step.progress
    if (progress.activity.activeMs - keptMs >= KEEP_TIME_EVERY_MS) {
      keptMs = progress.activity.activeMs
      await keepTime(underway, progress, ports)
    }

    wishes.unseen = run.agent === 'unknown'
    if (wishes.release) return { end: 'hands_off', progress }
    if (wishes.cancel) return { end: { kind: 'cancelled' }, progress }
    if (limit !== null && progress.activity.activeMs >= limit.leftMs) {
      return { end: { kind: 'timed_out', afterMs: limit.afterMs }, progress }
    }
    if (worktree !== null && looks++ % LOOKS_PER_WORKTREE_LOOK === 0) {
      const place = worktrees.lookAtWorktree(worktree)
      if (place !== 'present' && place !== 'unseen') return { end: { kind: place }, progress }
    }
    const verdict = recoveryVerdict(run, clock.now())
    switch (verdict) {
      case 'collect':
        return { end: { kind: 'exited', exit: run.exit ?? { kind: 'unknown' } }, progress }
      case 'reap':
        return { end: { kind: 'died' }, progress }
      case 'relaunch':
        return { end: { kind: 'never_started', why: 'nothing of a launch was found' }, progress }
      case 'adopt':
      case 'wait':
        if (!step.more) await ticker.next()
    }
  }
}

/** What is left of the time that the user gave the task; what earlier attempts took counts. */
async function findTimeLimit(
  { task, attempt }: Underway,
  store: Store,
): Promise<{ readonly leftMs: number; readonly afterMs: number } | null> {
  const { timeoutMs } = task.request
  if (timeoutMs === null) return null
  let leftMs = timeoutMs
  for (const { attempt: earlier, activeMs } of await store.listAttempts(attempt.task)) {
    if (earlier.fence < attempt.fence) leftMs -= activeMs
  }
  return { leftMs, afterMs: timeoutMs }
}

/** False: a newer attempt exists. */
function keepTime({ attempt }: Underway, progress: Progress, ports: FollowPorts) {
  return ports.store.recordProgress(attempt, progress, [], ports.clock.now())
}

/** Where the reading of an attempt's output stands; a new attempt begins at the beginning. */
export async function loadProgress(
  { task, attempt, agent }: Underway,
  store: Store,
): Promise<Progress> {
  return (
    (await store.findProgress(attempt.task, attempt.fence)) ?? {
      offset: 0,
      lines: 0,
      translation: agent.translator.initial,
      activity: { activeMs: 0, fruitlessMs: task.fruitlessMs },
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
  const activity = addEvents(from.activity, events)
  const progress = { offset, lines: count, translation, activity }
  reach('follow.lines-read')
  const isCurrent = await store.recordProgress(attempt, progress, events, clock.now())
  reach('follow.step-recorded')
  return isCurrent ? { progress, more: !atEnd } : 'superseded'
}

function isKept(kind: AgentEvent['kind'], line: number): boolean {
  return kind !== 'output_given' || line <= OUTPUT_LINES_KEPT
}
