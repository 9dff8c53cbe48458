/**
 * Runs a task's `--verify` command on what an attempt has done, once its agent has proven that it is
 * done and nothing of it lives. It is nobody's child and has a directory of its own, laid out like a
 * run directory: whoever began it may die, and the next worker goes on waiting for it, since a test
 * suite that takes half an hour is not to begin again because a worker was replaced. Only one that was
 * killed itself says nothing, and is run again.
 *
 * What an agent has written runs here: it is held as the agent was (`confine`).
 */
import { addLook } from '../domain/activity.ts'
import { reach } from '../domain/crash-points.ts'
import { PORT_VARIABLE } from '../domain/environment.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { asFence } from '../domain/ids.ts'
import { type AgentExit, describeExit, type Result } from '../domain/outcome.ts'
import type { Permissions } from '../domain/permissions.ts'
import { plainText } from '../domain/plain-text.ts'
import { recoveryVerdict } from '../domain/recovery.ts'
import {
  countFailedBefore,
  describeVerify,
  isToRun,
  type Judged,
  MOST_VERIFY_RUNS,
  VERIFY_TAIL_BYTES,
  type Verify,
} from '../domain/verify.ts'
import type { Environment } from '../ports/agent.ts'
import type { Confinement, Enclosure } from '../ports/confinement.ts'
import type { AttemptProcesses } from '../ports/process-host.ts'
import type { Progress } from '../ports/store.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { listUnheard } from './all-said.ts'
import { type FollowPorts, findTimeLimit, type Underway, type Wishes } from './follow-attempt.ts'
import { loadRedact } from './read-output.ts'
import { settleHeld } from './settle-permissions.ts'
import { LOOK_EVERY_MS } from './ticker.ts'
import { isMachineTrouble, isStoreTrouble } from './trouble.ts'
import { SHELL, variablesOf } from './trusted-command.ts'

/**
 * `hands_off`: a newer attempt exists, or this worker leaves; it goes on without it. `told_more`: its
 * agent goes on with what was said meanwhile, and there will be more to look at.
 */
export type Verified =
  | 'hands_off'
  | { readonly kind: 'told_more' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'timed_out'; readonly afterMs: number }
  | { readonly kind: 'judged'; readonly judged: Judged; readonly log: string }

/** No attempt has this number: the mark of a verification is not that of one. */
const FENCE = asFence(0)
/** A look costs two system calls. */
const LOOK_MS = 50
/** From being asked to end until it is killed. */
const GRACE_MS = 2_000
/** Between two starts. */
const TICKS_PER_START = 4
/** What a killed worker may forget of its time. */
const KEEP_TIME_EVERY_MS = 30_000

/** One run of it; only what is left of the last one counts. */
interface Run {
  readonly number: number
  readonly directory: string
  readonly isBegun: boolean
  /** Of runs that whoever began them left half begun: something of one may still come. */
  readonly halfBegun: readonly string[]
}

/**
 * Whether it was begun for this attempt, and its end is not written down: then nothing of the agent
 * lives, and whoever stands in the worktree is of the verification.
 */
export function isVerifying(
  { task, attempt }: Pick<Underway, 'task' | 'attempt'>,
  ports: Pick<FollowPorts, 'files' | 'host' | 'clock'>,
): boolean {
  return task.request.verify !== null && findRun({ attempt }, ports).isBegun
}

/** A task that follows another is verified as that was. */
const WITHOUT_NAMED = 'run --no-verify does without; holdfast trust --revoke takes the trust back'

/** Refuses with `permissions_unavailable` where nothing could hold it as the task is held. */
export async function requireVerifiable(
  verify: Verify | null,
  { effective }: Permissions,
  confinement: Confinement,
): Promise<void> {
  if (!isToRun(verify) || effective === 'full') return
  try {
    await confinement.requireWorking()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const isNamed = verify.named !== undefined
    const what = isNamed ? `to verify with ${describeVerify(verify)}` : '--verify'
    const ways = [error.hint, isNamed ? WITHOUT_NAMED : undefined]
    const hint = ways.filter(one => one !== undefined).join('; ')
    throw new AppError('permissions_unavailable', `${what}: ${error.message}`, {
      ...(hint === '' ? {} : { hint }),
      cause: error,
    })
  }
}

/**
 * What the attempt has done, where that was collected for a verification of it; null: it was not. It
 * is not to be collected again: whatever the command has written would count as the agent's.
 */
export async function findVerifiedResult(
  { attempt }: Pick<Underway, 'attempt'>,
  { store }: Pick<FollowPorts, 'store'>,
): Promise<Result | null> {
  const verification = (await store.findTask(attempt.task))?.verification
  return verification?.fence === attempt.fence ? (verification.result ?? null) : null
}

/** `result`: the work, collected. */
export async function verifyWork(
  underway: Underway & { readonly worktree: WorktreeRecord },
  verify: Verify,
  result: Result,
  progress: Progress,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<Verified> {
  const { task, attempt } = underway
  const { store, clock, ticker } = ports
  const before = task.verification
  const failedBefore = countFailedBefore(before, attempt.fence)
  for (let failedStarts = 0; ; ) {
    const run = findRun(underway, ports)
    const judged = (end: Judged, log = logOf(run)): Verified => ({
      kind: 'judged',
      judged: end,
      log,
    })
    const about = { fence: attempt.fence, failedBefore, result }
    const unknown = (how: string, log?: string): Verified =>
      judged({ ...about, state: 'unknown', endedAt: clock.now(), how, output: '' }, log)
    if (run.number > MOST_VERIFY_RUNS) {
      const directory = ports.files.verifyDirectory(attempt.task, attempt.fence, run.number - 1)
      const how = `it was killed ${MOST_VERIFY_RUNS} times before it came to its end`
      return unknown(how, logOf({ directory }))
    }
    const taken = (await store.findProgress(attempt.task, attempt.fence)) ?? progress
    let fromMs = taken.activity.activeMs
    if (run.isBegun) {
      // Its time counts from when it began, whoever began it.
      if (before?.state === 'running' && before.fence === attempt.fence) fromMs = before.fromMs
    } else {
      for (const directory of run.halfBegun) {
        if (!(await stopAll(underway, directory, wishes, ports))) return 'hands_off'
      }
      const running = { ...about, state: 'running', fromMs } as const
      if (!(await store.recordVerification(attempt, running, null, clock.now()))) return 'hands_off'
      reach('verify.noted')
      const problem = await launch(underway, verify, run, ports)
      if (problem !== null) {
        // A disk that is full passes, and a start that came to nothing is tried again.
        const isLast = !problem.passes && ++failedStarts >= MOST_VERIFY_RUNS
        if (isLast || !problem.isWorthAgain) return unknown(problem.words)
        for (let n = 0; n < TICKS_PER_START; n++) await ticker.next()
        if (wishes.release) return 'hands_off'
        if (wishes.cancel) return { kind: 'cancelled' }
        continue
      }
      reach('verify.launched')
    }
    const end = await waitForEnd(underway, verify, run, { taken, fromMs }, wishes, ports)
    if (end.kind === 'hands_off') return 'hands_off'
    if (!(await stopAll(underway, run.directory, wishes, ports))) return 'hands_off'
    reach('verify.stopped')
    if (end.kind !== 'too_long' && end.kind !== 'ended') return end
    const output = await readOutput(underway, run, ports)
    const ended = { ...about, endedAt: clock.now(), output }
    if (end.kind === 'too_long') {
      const how = `it did not end within ${verify.limitMs / 1_000} s`
      return judged({ ...ended, state: 'failed', how })
    }
    const { exit } = end
    if (exit === null || exit.kind === 'unknown') continue
    return exit.kind === 'exited' && exit.code === 0
      ? judged({ ...ended, state: 'passed' })
      : judged({ ...ended, state: 'failed', how: describeExit(exit) })
  }
}

/** Ends what was begun of it, with all that it has started. False: this worker leaves before that. */
export async function endVerification(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<boolean> {
  for (const { runDirectory } of verificationsOf(underway, ports)) {
    if (!(await stopAll(underway, runDirectory, wishes, ports))) return false
  }
  return true
}

/** All runs of it that anything may live of, also of those that were killed; by their marks alone. */
export function verificationsOf(
  { attempt }: Pick<Underway, 'attempt'>,
  ports: Pick<FollowPorts, 'files' | 'host' | 'clock'>,
): readonly AttemptProcesses[] {
  const last = findRun({ attempt }, ports).number
  return Array.from({ length: last }, (_, n) => ({
    task: attempt.task,
    fence: FENCE,
    runDirectory: ports.files.verifyDirectory(attempt.task, attempt.fence, n + 1),
    worktree: null,
  })).filter(({ runDirectory }) => ports.host.lookAtRun(runDirectory).launchedAt !== null)
}

const logOf = ({ directory }: Pick<Run, 'directory'>) => `${directory}/stderr`

/** The first that was not lost: it has ended, lives, or is yet to be begun, in a directory of its own. */
function findRun(
  { attempt }: Pick<Underway, 'attempt'>,
  { files, host, clock }: Pick<FollowPorts, 'files' | 'host' | 'clock'>,
): Run {
  const halfBegun: string[] = []
  for (let number = 1; ; number++) {
    const directory = files.verifyDirectory(attempt.task, attempt.fence, number)
    const look = host.lookAtRun(directory)
    const verdict = recoveryVerdict(look, clock.now())
    const isHalf = verdict === 'relaunch' && look.launchedAt !== null
    if (isHalf) halfBegun.push(directory)
    const isLost = isHalf || verdict === 'reap' || look.exit?.kind === 'unknown'
    if (isLost && number <= MOST_VERIFY_RUNS) continue
    return { number, directory, isBegun: verdict !== 'relaunch', halfBegun }
  }
}

/** Why it was not started. */
interface Unstarted {
  readonly words: string
  readonly isWorthAgain: boolean
  /** The machine has no room at present: that says nothing of the command. */
  readonly passes: boolean
}

/** Null: it runs. */
async function launch(
  underway: Underway & { readonly worktree: WorktreeRecord },
  verify: Verify,
  { number, directory }: Run,
  ports: FollowPorts,
): Promise<Unstarted | null> {
  const { task, attempt, worktree } = underway
  const { files, host, confinement, store, clock } = ports
  const { request } = task
  try {
    // Whoever wrote this died before anything was started.
    await files.removeVerifyDirectory(attempt.task, attempt.fence, number)
    // A repository does not know where in it somebody stands.
    const within = verify.named === undefined ? request.repo.subdirectory : ''
    const workingDirectory = await files.ensureWithin(worktree.path, within)
    if (workingDirectory === undefined) {
      const words = `${within} leads out of its worktree`
      return { words, isWorthAgain: false, passes: false }
    }
    const port = (await store.findWorktree(worktree.id))?.port ?? null
    const environment = {
      ...(await files.readEnvironment(attempt.task)),
      ...variablesOf(request, worktree.path),
      ...(port === null ? {} : { [PORT_VARIABLE]: String(port) }),
      PWD: workingDirectory,
    }
    const enclosure = await confine(underway, workingDirectory, environment, { files, confinement })
    const text = `verifying: ${describeVerify(verify)}`
    await store.recordNote(attempt.task, attempt.fence, 'task_changed', text, clock.now())
    await host.launch({
      task: attempt.task,
      fence: FENCE,
      runDirectory: directory,
      // Into one file, in the order in which it was said.
      argv: [SHELL, '-c', 'exec "$@" >&2', SHELL, ...verify.argv],
      environment,
      workingDirectory,
      stdin: new Uint8Array(),
      setUp: null,
      enclosure,
      memoryBytes: request.memoryBytes,
      umask: request.umask,
    })
    return null
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    const passes = isMachineTrouble(error)
    const isWorthAgain = passes || (error instanceof AppError && error.code === 'launch_failed')
    return { words: `it could not be started: ${messageOf(error)}`, isWorthAgain, passes }
  }
}

/**
 * It may do no more than the agent whose work it runs. One that confines itself is not there to hold
 * it: the system does, and keeps it from the network, as such agents keep their tools.
 */
async function confine(
  { task, agent, worktree }: Underway & { readonly worktree: WorktreeRecord },
  workingDirectory: string,
  environment: Environment,
  { files, confinement }: Pick<FollowPorts, 'files' | 'confinement'>,
): Promise<Enclosure | null> {
  const held = await settleHeld(task, agent, environment, confinement)
  const { effective, enforcedBy } = held
  if (effective === 'full') return null
  return await confinement.enclose({
    mode: effective,
    worktree: worktree.path,
    commonDir: worktree.commonDir,
    workingDirectory,
    program: SHELL,
    environment,
    scratch: files.scratchDirectory(task.request.id),
    own: { readable: [], writable: [] },
    ...(enforcedBy === 'agent' ? { network: 'none' } : {}),
  })
}

type RunEnd =
  | { readonly kind: 'hands_off' }
  | { readonly kind: 'told_more' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'too_long' }
  | { readonly kind: 'timed_out'; readonly afterMs: number }
  /** `exit`: null where it is gone without a word. */
  | { readonly kind: 'ended'; readonly exit: AgentExit | null }

/** Its time is the attempt's: the limit that the user set holds for both together. */
async function waitForEnd(
  underway: Underway,
  { limitMs }: Verify,
  { directory }: Run,
  { taken, fromMs }: { readonly taken: Progress; readonly fromMs: number },
  wishes: Wishes,
  ports: FollowPorts,
): Promise<RunEnd> {
  const { task, attempt } = underway
  const { store, host, clock, ticker } = ports
  const limit = await findTimeLimit(underway, store)
  let { activity } = taken
  let keptMs = activity.activeMs
  let lookedAt = clock.elapsed()
  const keep = () => store.recordProgress(attempt, { ...taken, activity }, [], clock.now())
  /** The store's change counter when the messages were last read, and when that was. */
  let seen: number | undefined
  let readAt = Number.NEGATIVE_INFINITY
  for (;;) {
    const run = host.lookAtRun(directory)
    const verdict = recoveryVerdict(run, clock.now())
    const look = clock.elapsed()
    // Nothing that it does is progress of the agent's, nor a while in which that wastes its chance.
    const { activeMs } = addLook(activity, look - lookedAt)
    activity = { ...activity, activeMs }
    lookedAt = look
    const isOver = verdict !== 'adopt' && verdict !== 'wait'
    const isToBeKept = isOver || activeMs - keptMs >= KEEP_TIME_EVERY_MS || wishes.release
    if (isToBeKept) {
      keptMs = activeMs
      if (!(await keep())) return { kind: 'hands_off' }
    }
    if (isOver) return { kind: 'ended', exit: run.exit }
    if (wishes.release) return { kind: 'hands_off' }
    if (wishes.cancel) return { kind: 'cancelled' }
    const counter = store.changeCounter()
    if (counter !== seen && look - readAt >= LOOK_EVERY_MS) {
      seen = counter
      readAt = look
      if ((await listUnheard(task, store)).length > 0) {
        await keep()
        const text = 'no longer verified: it was told more'
        await store.recordNote(attempt.task, attempt.fence, 'task_changed', text, clock.now())
        return { kind: 'told_more' }
      }
    }
    if (limit !== null && activeMs >= limit.leftMs) {
      await keep()
      return { kind: 'timed_out', afterMs: limit.afterMs }
    }
    if (activeMs - fromMs >= limitMs) return { kind: 'too_long' }
    await Promise.race([ticker.next(), clock.sleep(LOOK_MS)])
  }
}

/** What it has started in the background, too. False: this worker leaves before that. */
async function stopAll(
  { task, attempt, worktree }: Underway,
  runDirectory: string,
  wishes: Wishes,
  { host, ticker }: FollowPorts,
): Promise<boolean> {
  const processes: AttemptProcesses = {
    task: attempt.task,
    fence: FENCE,
    runDirectory,
    // Whoever stands in the user's own directory need not be of it.
    worktree: task.request.workplace.kind === 'borrowed' ? null : (worktree?.path ?? null),
  }
  const order = { graceful: 'SIGTERM', graceMs: GRACE_MS } as const
  while (!(await host.stop(processes, order)).ended) {
    if (wishes.release) return false
    await ticker.next()
  }
  return true
}

/** The end of it, for people: without secrets, and without what commands a terminal. */
async function readOutput(
  { attempt }: Underway,
  { directory }: Run,
  { host, files }: FollowPorts,
): Promise<string> {
  const redact = await loadRedact(attempt.task, files)
  return plainText(redact(host.readStderrTail(directory, VERIFY_TAIL_BYTES)))
}
