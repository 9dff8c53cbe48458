/**
 * Follows a live attempt until it ends: reads what it says, and waits for every way in which the
 * wait can end. The first cause is the one that counts.
 */
import { addLook, isProgress } from '../domain/activity.ts'
import { isUsedUp } from '../domain/budget.ts'
import type { AgentHomes } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import type { AgentExit, Failure } from '../domain/outcome.ts'
import type { PortRange } from '../domain/port-blocks.ts'
import { recoveryVerdict } from '../domain/recovery.ts'
import { IDLING, measureEveryMs } from '../domain/stall.ts'
import type { Task } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { Locks } from '../ports/lock.ts'
import type { AttemptProcesses, ProcessHost } from '../ports/process-host.ts'
import type { ClaimedAttempt, Progress, Store, Tries } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { environmentOf } from './agent-home.ts'
import { converse } from './converse.ts'
import { type Hearing, hearOutput } from './hear-output.ts'
import { passOnMessages } from './pass-on-messages.ts'
import { loadReading, takeStep } from './read-output.ts'
import { isSetUpOver, setUpLimitMs, trustedCommand } from './set-up.ts'
import { type SnapshotWatch, snapshotWhileRunning } from './snapshot-running.ts'
import type { Ticker } from './ticker.ts'
import { type Stall, watchStall } from './watch-stall.ts'
import { watchUsage } from './watch-usage.ts'

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
  /** Whoever opened it is gone from the terminal, and it lives on. */
  | { readonly kind: 'abandoned' }
  /** Its turn is over; an agent that can be talked to waits for more. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'over_budget' }
  | ({ readonly kind: 'stalled' } & Stall)
  /** The limit that the user set. */
  | { readonly kind: 'timed_out'; readonly afterMs: number }
  /** The limit of its set-up: no agent was started. */
  | { readonly kind: 'set_up_too_long'; readonly afterMs: number }
  | { readonly kind: 'worktree_lost' | 'repository_lost' }

/** What others want of an attempt while it is followed. */
export interface Wishes {
  cancel: boolean
  release: boolean
  /** Said back: its processes cannot be seen from here, so it takes none of our slots. */
  unseen: boolean
  /** Said back: what others wait for has come, so work is to be looked for. */
  stirred: boolean
}

export interface FollowPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
  readonly locks: Locks
  readonly confinement: Confinement
  readonly clock: Clock
  readonly ticker: Ticker
  readonly findAgent: (name: string) => Promise<Agent>
  /** How often the files of a running task are kept aside; 0: never. */
  readonly snapshotEveryMs: number
  /** Where the ports of worktrees are taken from. */
  readonly portRange: PortRange
  /** Whose home an agent works in that can have one for each worktree. */
  readonly agentHomes: AgentHomes
}

/**
 * While nothing is heard of an agent, and nothing was written that others want of it, a tick only
 * asks whether its process lives. All else is looked at so often: at every fourth tick.
 */
const QUIET_LOOK_EVERY_MS = 1_900

/**
 * How often the worktree is looked at too: it is to be noticed within seconds that it is lost, and
 * it is looked at again before any judgement.
 */
const WORKTREE_LOOK_EVERY_MS = 4_000

/** Within so long all that waited for a limit go on: as one they would meet the next. */
const FOLLOWERS_MS = 30_000

/** So long an agent that was told to interrupt its turn may take for it. */
const INTERRUPT_MS = 2_000

/** So much of a silent agent's time a killed worker may forget: it only sets limits in hours. */
const KEEP_TIME_EVERY_MS = 5 * 60_000

/** `hands_off`: a newer attempt exists, or this worker leaves. */
export async function followAttempt(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
  tries?: Tries,
): Promise<AttemptEnd | 'hands_off'> {
  const { runDirectory } = processesOf(underway, ports)
  const hearing = hearOutput(runDirectory, ports.host, ports.ticker)
  const snapshots = snapshotWhileRunning(underway, ports)
  const watching = watchAttempt(underway, wishes, { hearing, snapshots, tries }, ports)
  const { end, progress } = await watching.finally(hearing.stop).finally(snapshots.stop)
  // How long it was at work is asked by whoever settles it, which may be another worker.
  return end === 'superseded' || !(await keepTime(underway, progress, ports)) ? 'hands_off' : end
}

/** What goes on beside it, and what was known of it before. */
interface Beside {
  readonly hearing: Hearing
  readonly snapshots: SnapshotWatch
  readonly tries: Tries | undefined
}

async function watchAttempt(
  underway: Underway,
  wishes: Wishes,
  { hearing, snapshots, tries }: Beside,
  ports: FollowPorts,
): Promise<{ end: AttemptEnd | 'hands_off' | 'superseded'; progress: Progress }> {
  const { task, attempt, agent, worktree } = underway
  const { store, host, files, worktrees, clock, ticker } = ports
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  const { progress: first, ...reading } = await loadReading(underway, ports, tries)
  let progress = first
  let keptMs = progress.activity.activeMs
  let lookedAt = clock.elapsed()
  let worktreeSeenAt = Number.NEGATIVE_INFINITY
  let starting = task.state.name === 'starting'
  // A borrowed one is not ours to lock.
  let isLockable = task.request.workplace.kind !== 'borrowed'
  // Only an account that is limited has a probe.
  let isProbe = task.limitedUntil !== null && (await store.isProbe(attempt.task))
  // Whoever drives it may be out for lunch.
  const isOpened = task.request.opened !== null
  const limit = await findTimeLimit(underway, store)
  const setUpMs = setUpLimitMs(task)
  const conversation = openConversation(underway, ports)
  const passing = passOnMessages(attempt, ports)
  let askedToStopAt: number | undefined
  const withUsage = watchUsage(underway, async session => {
    const { id } = task.request.workplace
    return environmentOf(agent, session, id, await files.readEnvironment(attempt.task), files)
  })
  const { idling = IDLING } = underway.agent.capabilities
  const stallWatch = watchStall(
    processesOf(underway, ports),
    task.request.stallMs,
    idling,
    lookedAt,
    host,
  )
  for (;;) {
    // Looked at before reading: what an agent wrote before its end is then surely read below.
    const run = host.lookAtRun(runDirectory)
    if (starting && run.agent !== null && isSetUpOver(task, files)) {
      starting = false
      // With a set-up, the launch was over before this.
      if (trustedCommand(task) !== null) await host.keepStart(runDirectory)
      const started = { kind: 'agent_started' } as const
      reach('follow.agent-seen')
      await store.transition(attempt.task, attempt.fence, started, clock.now())
      reach('follow.running')
    }
    const step = await takeStep(underway, { progress, ...reading }, false, ports)
    if (step === 'superseded') return { end: step, progress }
    const isHeard = step.progress !== progress
    if (isHeard) keptMs = step.progress.activity.activeMs
    progress = step.progress
    if (isProbe && step.events.some(isProgress)) {
      isProbe = false
      wishes.stirred = await store.liftLimit(attempt.task, clock.now(), () =>
        Math.round(clock.random() * FOLLOWERS_MS),
      )
      if (wishes.stirred) ticker.wake()
    }
    const counter = store.changeCounter()
    const messages = await passing.look(progress.translation, step.events)
    const waitsForAnswer = (await conversation?.goOn(progress, messages, wishes.cancel)) ?? false
    const look = clock.elapsed()
    // A set-up has a limit of its own.
    if (waitsForAnswer || starting || isOpened) stallWatch.excuse(look)
    if (!waitsForAnswer && run.agent === 'alive') {
      progress = { ...progress, activity: addLook(progress.activity, look - lookedAt) }
    }
    lookedAt = look
    if (progress.activity.activeMs - keptMs >= KEEP_TIME_EVERY_MS) {
      keptMs = progress.activity.activeMs
      await keepTime(underway, progress, ports)
    }

    wishes.unseen = run.agent === 'unknown'
    if (wishes.release) return { end: 'hands_off', progress }
    if (wishes.cancel) {
      askedToStopAt ??= look
      // One that can be talked to was told to stop, and says when it has.
      const isStopping = conversation?.wasInterrupted() && progress.translation.turn === null
      const isPatient = run.agent === 'alive' && look - askedToStopAt < INTERRUPT_MS
      if (!isStopping || !isPatient) return { end: { kind: 'cancelled' }, progress }
    }
    if (limit !== null && progress.activity.activeMs >= limit.leftMs) {
      return { end: { kind: 'timed_out', afterMs: limit.afterMs }, progress }
    }
    if (starting && setUpMs !== null && progress.activity.activeMs >= setUpMs) {
      return { end: { kind: 'set_up_too_long', afterMs: setUpMs }, progress }
    }
    if (worktree !== null && look - worktreeSeenAt >= WORKTREE_LOOK_EVERY_MS) {
      worktreeSeenAt = look
      const place = worktrees.lookAtWorktree(worktree)
      if (place !== 'present' && place !== 'unseen') return { end: { kind: place }, progress }
      isLockable = isLockable && (await keepLocked(underway, worktree, ports))
    }
    if (run.agent === 'alive' && !starting) snapshots.look(look)
    if (isOpened && run.agent === 'alive' && host.lookAtOpener(runDirectory) === 'dead') {
      return { end: { kind: 'abandoned' }, progress }
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
      case 'wait': {
        if (step.more) break
        if (conversation?.isOver(progress, messages)) return { end: { kind: 'finished' }, progress }
        progress = await withUsage({ progress, ...reading }, look)
        if (progress.translation.turn === null && isUsedUp(task.budget, progress.usage)) {
          return { end: { kind: 'over_budget' }, progress }
        }
        // What a snapshot does there is no work of the agent's.
        const canTell = run.agent === 'alive' && !snapshots.isBusy()
        const stall = canTell || isHeard ? stallWatch.look(look, isHeard) : null
        if (stall !== null) return { end: { kind: 'stalled', ...stall }, progress }
        const leftMs = (limit?.leftMs ?? Infinity) - progress.activity.activeMs
        const quietMs = Math.min(QUIET_LOOK_EVERY_MS, measureEveryMs(task.request.stallMs), leftMs)
        await hearing.orWhen(
          () =>
            starting ||
            isOpened ||
            wishes.cancel ||
            wishes.release ||
            clock.elapsed() - look >= quietMs ||
            store.changeCounter() !== counter ||
            host.lookAtRun(runDirectory).agent !== 'alive',
        )
      }
    }
  }
}

function openConversation({ task, attempt, agent }: Underway, ports: FollowPorts) {
  if (agent.dialogue === undefined || task.request.opened !== null) return null
  const asked = task.state.name === 'needs_input' ? task.state.question : null
  return converse(attempt, agent.dialogue, asked, ports)
}

/** Somebody else's clean-up may have unlocked it, and would go on. False: git does not let us. */
async function keepLocked(
  { attempt }: Underway,
  worktree: WorktreeRecord,
  { store, worktrees, clock }: FollowPorts,
): Promise<boolean> {
  const lock = await worktrees.keepLocked(worktree)
  if (lock === 'again') {
    const note = `somebody had unlocked ${worktree.path}: it is locked again`
    await store.recordNote(attempt.task, attempt.fence, 'task_changed', note, clock.now())
  }
  return lock !== 'refused'
}

/** How the processes of an attempt are recognised. */
export function processesOf(
  { task, attempt, worktree }: Underway,
  { files }: Pick<FollowPorts, 'files'>,
): AttemptProcesses {
  return {
    task: attempt.task,
    fence: attempt.fence,
    runDirectory: files.runDirectory(attempt.task, attempt.fence),
    worktree: isOfOthers(task) ? null : (worktree?.path ?? null),
  }
}

/** Whoever stands in the user's own directory, or where an editor is open, need not be of the attempt. */
function isOfOthers({ request: { workplace, opened } }: Task): boolean {
  return workplace.kind === 'borrowed' || opened?.by === 'editor'
}

/** What is left of the time that the user gave the task; what earlier attempts took counts. */
export async function findTimeLimit(
  { task, attempt }: Pick<Underway, 'task' | 'attempt'>,
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
