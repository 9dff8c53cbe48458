/**
 * Readies a worktree that was just made, before any agent runs in it: included files are placed by
 * the worker; the repository's command runs within the attempt, in front of the agent.
 */
import { defaultBounds } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import { type AttemptOutcome, describeExit, parseShellStatus } from '../domain/outcome.ts'
import { DEFAULT_LIMITS_MS, type SetUpCommand } from '../domain/set-up.ts'
import type { Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Confinement, Confines } from '../ports/confinement.ts'
import type { ProcessHost, SetUpLook, SetUpOrder } from '../ports/process-host.ts'
import type { ClaimedAttempt, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { findMissing } from './missing-file.ts'
import { describeHidden, resolveTrusted, SHELL, variablesOf } from './trusted-command.ts'

/** Longer than a tick of any file system's clock: what came before the mark then looks older. */
const TICK_MS = 20
/** So many of the last lines go into a message. */
const LINES_KEPT = 3

interface ReadyPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
}

/** The command that is to run; null: there is none, or it is not trusted. */
export function trustedCommand({ request }: Task): SetUpCommand | null {
  const command = request.setUp?.command ?? null
  return command?.trusted === true ? command : null
}

/**
 * Places the ignored files that were taken along. What cannot be placed is told in the task's log,
 * and keeps nobody from the work. Where no command follows, set-up is over with this.
 */
export async function readyWorktree(
  task: Task,
  attempt: ClaimedAttempt,
  worktree: WorktreeRecord,
  { store, files, worktrees, clock }: ReadyPorts,
): Promise<void> {
  const { setUp } = task.request
  if (setUp === null) return
  const note = (text: string) =>
    store.recordNote(attempt.task, attempt.fence, 'attempt_started', text, clock.now())
  if (setUp.command?.trusted === false) {
    await note(`set-up is not run: ${setUp.command.argv.join(' ')} is not trusted`)
  }
  if (setUp.included !== null) {
    try {
      const problems = await worktrees.placeIncluded(worktree, files.directory(attempt.task))
      for (const problem of problems) await note(problem)
    } catch (error) {
      await note(`the included files could not be placed: ${messageOf(error)}`)
    }
    reach('worktree.included')
  }
  if (setUp.directories !== undefined) {
    for (const problem of await bringDirectories(task, worktree, worktrees)) await note(problem)
    reach('worktree.directories-brought')
  }
  if (trustedCommand(task) !== null) return
  await clock.sleep(TICK_MS)
  await files.markSetUp(worktree.id)
  reach('worktree.marked')
}

/** From the checkout as it is now. What does not come along is told, and keeps nobody from the work. */
async function bringDirectories(
  task: Task,
  worktree: WorktreeRecord,
  worktrees: Worktrees,
): Promise<readonly string[]> {
  const { repo, setUp } = task.request
  const orders = setUp?.directories ?? []
  // `npm ci` empties `node_modules` before it fills it, and would do so through a link.
  const commands = [setUp?.command, setUp?.cleanUp]
  const runs = commands.some(command => command?.trusted === true)
  const refused = orders.filter(({ way }) => way === 'symlink' && runs)
  const rest = orders.filter(order => !refused.includes(order))
  const bounds = defaultBounds.directories
  return [
    ...refused.map(({ path }) => `${path}: not linked: set-up or clean-up would write through it`),
    ...(await worktrees.placeDirectories(worktree, repo.root, rest, bounds)),
  ]
}

/**
 * What an attempt has to begin with; null: nothing, or it was done by an earlier one. `confines`:
 * the command is held as the agent is, but for the worktree, which it has to write; null: it has
 * the user's own rights. Throws `SetUpRefused` where it cannot be run like that.
 */
export async function orderSetUp(
  task: Task,
  worktree: WorktreeRecord,
  confines: Omit<Confines, 'mode'> | null,
  { files, confinement }: { readonly files: TaskFiles; readonly confinement: Confinement },
): Promise<SetUpOrder | null> {
  const command = trustedCommand(task)
  if (command === null || files.setUpTime(worktree.id) !== null) return null
  const { id } = task.request
  const { argv, kept } = await resolveTrusted(command, 'set-up', id, worktree.path, files)
  if (confines !== null && kept.length > 0) throw new SetUpRefused(describeHidden(kept))
  const around = confines === null ? [] : await enclosing(confines, worktree, confinement)
  return {
    argv: [...around, ...argv] as unknown as SetUpOrder['argv'],
    workingDirectory: worktree.path,
    environment: variablesOf(task.request, worktree.path),
    mark: files.setUpMark(worktree.id),
  }
}

/** What stands in front of the command. */
async function enclosing(
  confines: Omit<Confines, 'mode'>,
  worktree: WorktreeRecord,
  confinement: Confinement,
): Promise<readonly string[]> {
  const { argv } = await confinement.enclose({
    ...confines,
    mode: 'workspace',
    workingDirectory: worktree.path,
    program: SHELL,
  })
  return argv
}

/** Why a set-up cannot be run at all: the task fails with it. */
export class SetUpRefused extends Error {
  override readonly name = 'SetUpRefused'
}

/** Whether its attempt has come as far as its agent. */
export function isSetUpOver(task: Task, files: TaskFiles): boolean {
  return trustedCommand(task) === null || files.setUpTime(task.request.workplace.id) !== null
}

/** How long its set-up may take; null: there is none. */
export function setUpLimitMs(task: Task): number | null {
  const command = trustedCommand(task)
  return command === null ? null : (command.limitMs ?? DEFAULT_LIMITS_MS['set-up'])
}

interface JudgePorts {
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
}

/**
 * How an attempt ended that never came to its agent; null: it did. `afterMs`: it was ended, after so
 * long; null: by itself.
 */
export async function judgeSetUp(
  task: Task,
  attempt: ClaimedAttempt,
  worktree: WorktreeRecord | null,
  afterMs: number | null,
  { files, host, worktrees }: JudgePorts,
): Promise<Exclude<AttemptOutcome, { kind: 'succeeded' }> | null> {
  if (isSetUpOver(task, files)) return null
  const look = host.lookAtSetUp(files.runDirectory(attempt.task, attempt.fence))
  if (look === null) return null
  if (afterMs !== null) {
    return setUpFailed(task, look, `did not end within ${afterMs / 1_000} s, its limit`, null)
  }
  const exit = look.failure === null ? null : parseShellStatus(look.failure)
  if (exit === null || exit.kind !== 'exited') {
    // As if it had never begun: the next attempt runs it anew.
    const how = exit === null ? '' : ` (${describeExit(exit)})`
    const failure = { code: 'launch_failed', message: `set-up was interrupted${how}` } as const
    return { kind: 'interrupted', failure }
  }
  const missing =
    worktree === null
      ? null
      : await findMissing(look.words, task.request.repo.root, worktree, worktrees)
  return setUpFailed(task, look, `failed (${describeExit(exit)})`, missing)
}

/** `missing`: an ignored file that it may have looked for. */
function setUpFailed(
  { request: { id, repo } }: Task,
  { words, log }: SetUpLook,
  how: string,
  missing: string | null,
): Exclude<AttemptOutcome, { kind: 'succeeded' }> {
  const lines = words.split('\n').slice(-LINES_KEPT).join(' · ')
  const lack =
    missing === null
      ? ''
      : `${missing} is ignored in ${repo.root}, and did not come along: name it in .worktreeinclude, then holdfast retry ${id}; `
  return {
    kind: 'failed',
    failure: {
      code: 'setup_failed',
      message: `set-up ${how}: ${lines || 'it printed nothing'}`,
      hint: `${lack}all of its output: ${log}; holdfast resume ${id} tries it again, holdfast retry ${id} takes it from the repository anew`,
    },
  }
}
