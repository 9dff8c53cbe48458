/**
 * Follows a live attempt until it ends: reads what it says, and waits for every way in which the
 * wait can end. The first cause is the one that counts.
 */
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
  | { readonly kind: 'worktree_lost' | 'repository_lost' }

/** What others want of an attempt while it is followed. */
export interface Wishes {
  cancel: boolean
  release: boolean
}

export interface FollowPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
  readonly clock: Clock
  readonly ticker: Ticker
}

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
  for (;;) {
    // Looked at before reading: what an agent wrote before its end is then surely read below.
    const run = host.lookAtRun(runDirectory)
    const read = await takeLines(underway, progress, false, ports)
    if (read === 'superseded') return 'hands_off'
    progress = read

    if (wishes.release) return 'hands_off'
    if (wishes.cancel) return { kind: 'cancelled' }
    const place = worktree === null ? 'present' : worktrees.lookAtWorktree(worktree)
    if (place !== 'present') return { kind: place }
    switch (recoveryVerdict(run, clock.now())) {
      case 'collect':
        return { kind: 'exited', exit: run.exit ?? { kind: 'unknown' } }
      case 'reap':
        return { kind: 'died' }
      case 'relaunch':
        return { kind: 'never_started', why: 'nothing of a launch was found' }
      case 'adopt':
      case 'wait':
        await ticker.next()
    }
  }
}

/** Where the reading of an attempt's output stands; a new attempt begins at the beginning. */
export async function loadProgress({ attempt, agent }: Underway, store: Store): Promise<Progress> {
  return (
    (await store.findProgress(attempt.task, attempt.fence)) ?? {
      offset: 0,
      translation: agent.translator.initial,
    }
  )
}

/** Reads on to the end of what is there; `ended`: also takes a last line without an end. */
export async function takeLines(
  { attempt, agent }: Underway,
  from: Progress,
  ended: boolean,
  ports: FollowPorts,
): Promise<Progress | 'superseded'> {
  const runDirectory = ports.files.runDirectory(attempt.task, attempt.fence)
  let progress = from
  for (;;) {
    const { lines, offset } = ports.host.readLines(runDirectory, progress.offset, ended)
    if (offset === progress.offset) return progress
    let { translation } = progress
    const events = []
    for (const line of lines) {
      const step = agent.translator.translate(translation, line)
      translation = step.state
      events.push(...step.events)
    }
    progress = { offset, translation }
    if (!(await ports.store.recordProgress(attempt, progress, events, ports.clock.now()))) {
      return 'superseded'
    }
  }
}
