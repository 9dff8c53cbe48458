/**
 * Runs the repository's own clean-up in a worktree that is about to be put away. It is nobody's
 * child: whoever began it may die, and whoever comes next finds it again, once for each snapshot.
 *
 * A clean-up may delete what is somebody's work. So a snapshot was taken before, and says so: it is
 * kept until it is brought back. How a clean-up ends keeps no worktree from being put away; it is told.
 */

import { reach } from '../domain/crash-points.ts'
import { PORT_VARIABLE } from '../domain/environment.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { asFence, type TaskId } from '../domain/ids.ts'
import { describeExit } from '../domain/outcome.ts'
import { DEFAULT_LIMITS_MS, type SetUpCommand } from '../domain/set-up.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import type { Environment } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { Confinement, Enclosure } from '../ports/confinement.ts'
import type { AttemptProcesses, ProcessHost } from '../ports/process-host.ts'
import type { Store, StoredWorktree } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Trust } from '../ports/trust.ts'
import { isStoreTrouble } from './trouble.ts'
import { describeHidden, resolveTrusted, SHELL, variablesOf } from './trusted-command.ts'

export interface CleanUpPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly confinement: Confinement
  readonly trust: Trust
  readonly clock: Clock
  /** What a clean-up gets, but for the variables of its worktree. */
  readonly environment: Environment
  /** `agents`: it may do no more than the agents that were at work in the worktree. */
  readonly rights: 'agents' | 'own'
  /** Says something to whoever asked for it; it stands in the task's log as well. */
  readonly tell: (line: string) => void
  /** Set when whoever puts the worktree away has to leave; a clean-up goes on without it. */
  readonly leave?: AbortSignal | undefined
  /** What is not over at `leave` is taken up by whoever comes next; nobody was told that it is not. */
  readonly isTakenUp?: boolean
}

/** The clean-up of a worktree, and the task that it was handed in with. */
interface CleanUp {
  readonly task: Task
  readonly command: SetUpCommand
}

/** No attempt has this number: the mark of a clean-up is not that of one. */
const FENCE = asFence(0)
/** A look costs two system calls; most clean-ups take a second. */
const LOOK_MS = 20
/** From being asked to end until it is killed. */
const GRACE_MS = 5_000
const STOP_TRIES = 10
/** So much of its end says why it failed. */
const TAIL_BYTES = 2_048
const LINES_KEPT = 3

/** Undefined: there is none, or it may not run, which is told. */
export async function findCleanUp(
  worktree: StoredWorktree,
  ports: CleanUpPorts,
): Promise<CleanUp | undefined> {
  const found = await findNamed(worktree, ports.store)
  if (found === undefined || isTrusted(found, ports)) return found
  const words = found.command.argv.join(' ')
  await note(found.task, `clean-up is not run: ${words} is not trusted`, ports)
  return undefined
}

/** What was trusted when the task was handed in may be trusted no more, weeks later. */
function isTrusted({ task, command }: CleanUp, { trust }: CleanUpPorts): boolean {
  return command.trusted && trust.isTrusted(task.request.repo.commonDir, command.digest)
}

async function findNamed({ id, kind }: StoredWorktree, store: Store): Promise<CleanUp | undefined> {
  if (kind !== 'managed') return undefined
  const task = await findMaker(id, store)
  const command = task?.request.setUp?.cleanUp ?? null
  return task === undefined || command === null ? undefined : { task, command }
}

/** The task that a worktree was made for. */
async function findMaker(id: StoredWorktree['id'], store: Store): Promise<Task | undefined> {
  try {
    return await store.findTask(id as string as TaskId)
  } catch (error) {
    // Its row is damaged, and says nothing of a clean-up.
    if (error instanceof AppError && error.code === 'task_unreadable') return undefined
    throw error
  }
}

/**
 * Runs it, after the snapshot of this number, until nothing of it lives. Refuses with `leased` where
 * it does not end, and with `refused_in_state` at `leave`.
 */
export async function runCleanUp(
  found: CleanUp,
  worktree: StoredWorktree,
  number: number,
  ports: CleanUpPorts,
): Promise<void> {
  const { task } = found
  const problem = await runToEnd(found, worktree, number, ports)
  // A confined one has temporary files.
  if (hasEnded(task.state)) await ports.files.forgetSecrets(task.request.id)
  if (problem !== null) await note(task, problem, ports)
  reach('clean-up.over')
}

/** Goes on with one that was begun after the snapshot of this number, by somebody who left or died. */
export async function finishCleanUp(
  worktree: StoredWorktree,
  number: number,
  ports: CleanUpPorts,
): Promise<void> {
  const found = await findNamed(worktree, ports.store)
  if (found === undefined) return
  const directory = ports.files.cleanUpDirectory(found.task.request.id, number)
  const { launchedAt, exit } = ports.host.lookAtRun(directory)
  // The worktree was used again since: that was told then.
  if (exit !== null && !worktree.retiring) return
  const isBegun = launchedAt !== null
  const isToBegin = worktree.retiring && isTrusted(found, ports)
  if (isBegun || isToBegin) await runCleanUp(found, worktree, number, ports)
}

/** What went wrong, in words; null: nothing. */
async function runToEnd(
  found: CleanUp,
  worktree: StoredWorktree,
  number: number,
  ports: CleanUpPorts,
): Promise<string | null> {
  const { task, command } = found
  const { files, host } = ports
  const { id } = task.request
  const runDirectory = files.cleanUpDirectory(id, number)
  if (host.lookAtRun(runDirectory).launchedAt === null) {
    // Whoever wrote this died before anything was started.
    await files.removeCleanUpDirectory(id, number)
    const problem = await launch(found, worktree, runDirectory, ports)
    if (problem !== null) return problem
  }
  reach('clean-up.launched')
  const isInTime = await waitForEnd(command, runDirectory, ports)
  await stopAll(task, worktree, runDirectory, isInTime ? null : 'SIGTERM', ports)
  return judge(command, runDirectory, isInTime, host)
}

/** On a machine that is busy a look at all processes may take longer than a stop may. */
async function stopAll(
  { request }: Task,
  worktree: StoredWorktree,
  runDirectory: string,
  graceful: 'SIGTERM' | null,
  { host, clock }: CleanUpPorts,
): Promise<void> {
  // Not whoever stands in the worktree: that may be its user.
  const processes: AttemptProcesses = {
    task: request.id,
    fence: FENCE,
    runDirectory,
    worktree: null,
  }
  for (let tries = 1; ; tries++) {
    const { ended, processes: left } = await host.stop(processes, { graceful, graceMs: GRACE_MS })
    if (ended) return
    if (tries === STOP_TRIES) {
      const who = left.map(({ pid, command }) => `${command} (${pid})`).join(', ')
      const problem = `the clean-up of ${worktree.path} does not end: ${who || 'it cannot be seen'}`
      throw new AppError('leased', problem, { hint: 'holdfast archive, again, goes on' })
    }
    await clock.sleep(LOOK_MS)
  }
}

/** What kept it from being started, in words; null: nothing. */
async function launch(
  { task, command }: CleanUp,
  worktree: StoredWorktree,
  runDirectory: string,
  ports: CleanUpPorts,
): Promise<string | null> {
  const { request } = task
  const { id } = request
  const { path, port } = worktree
  const environment = {
    ...ports.environment,
    ...variablesOf(request, path),
    ...(port === null ? {} : { [PORT_VARIABLE]: String(port) }),
    PWD: path,
  }
  const why = (reason: string) => `clean-up is not run (${command.argv.join(' ')}): ${reason}`
  try {
    const { argv, kept } = await resolveTrusted(command, 'clean-up', id, path, ports.files)
    const enclosure = await enclose(task, worktree, environment, ports)
    if (enclosure !== null && kept.length > 0) return why(describeHidden(kept))
    await ports.host.launch({
      task: id,
      fence: FENCE,
      runDirectory,
      // Into one file, in the order in which it was said.
      argv: [SHELL, '-c', 'exec "$@" >&2', SHELL, ...argv],
      environment,
      workingDirectory: path,
      stdin: new Uint8Array(),
      setUp: null,
      enclosure,
      umask: request.umask,
    })
    return null
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    return why(messageOf(error))
  }
}

/**
 * Agents have written what it finds, `package.json` too: it may do no more than each of them. Null:
 * all of them might do anything, or the user has said that it may too. Refuses with `permissions_unavailable`.
 */
async function enclose(
  { request }: Task,
  { id, path, commonDir }: StoredWorktree,
  environment: Environment,
  { store, files, confinement, rights }: CleanUpPorts,
): Promise<Enclosure | null> {
  if (rights === 'own') return null
  const all = await store.listTasks({})
  const inside = all.filter(({ request: { workplace } }) => workplace.id === id)
  if (inside.every(one => one.request.permissions.effective === 'full')) return null
  return await confinement.enclose({
    mode: 'workspace',
    worktree: path,
    commonDir,
    workingDirectory: path,
    program: SHELL,
    environment,
    scratch: files.scratchDirectory(request.id),
    own: { readable: [], writable: [] },
  })
}

/** False: it took too long. */
async function waitForEnd(
  { limitMs = DEFAULT_LIMITS_MS['clean-up'] }: SetUpCommand,
  runDirectory: string,
  { host, clock, leave }: CleanUpPorts,
): Promise<boolean> {
  for (;;) {
    const { launchedAt, agent, wrapper, exit } = host.lookAtRun(runDirectory)
    const lives = agent === 'alive' || wrapper === 'alive'
    if (exit !== null || !lives) return true
    if (clock.now() - (launchedAt ?? 0) > limitMs) return false
    if (leave?.aborted === true) {
      throw new AppError('refused_in_state', 'its clean-up is not over, and goes on', {
        hint: 'put it away again later',
      })
    }
    await clock.sleep(LOOK_MS)
  }
}

function judge(
  { argv, limitMs = DEFAULT_LIMITS_MS['clean-up'] }: SetUpCommand,
  runDirectory: string,
  isInTime: boolean,
  host: ProcessHost,
): string | null {
  const { exit } = host.lookAtRun(runDirectory)
  if (isInTime && exit?.kind === 'exited' && exit.code === 0) return null
  const how = !isInTime
    ? `was ended after ${limitMs / 1_000} s`
    : `failed (${exit === null ? 'it died' : describeExit(exit)})`
  const lines = host.readStderrTail(runDirectory, TAIL_BYTES).trimEnd().split('\n')
  const words = lines.slice(-LINES_KEPT).join(' · ') || 'it printed nothing'
  return `clean-up ${how}: ${argv.join(' ')}: ${words}; all of its output: ${runDirectory}/stderr`
}

async function note(task: Task, text: string, { store, clock, tell }: CleanUpPorts): Promise<void> {
  await store.recordNote(task.request.id, null, 'task_changed', text, clock.now())
  tell(text)
}
