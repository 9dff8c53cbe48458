/** Launching an agent: directory first, process second, so that nothing alive is unrecorded. */
import { randomBytes } from 'node:crypto'
import { isAbsolute, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reach } from '../domain/crash-points.ts'
import { MARK_VARIABLE } from '../domain/environment.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { LaunchPlan } from '../ports/process-host.ts'
import type { ProcessTable } from '../ports/process-table.ts'
import { startDetached } from './detached.ts'
import { loadGroup } from './memory-kills.ts'
import { isTaken, writeOffer } from './offer.ts'
import {
  createRunDirectory,
  loadAgent,
  loadExit,
  loadIdentity,
  markPrefix,
  syncPath,
} from './run-directory.ts'
import { type ControlGroups, isHeld, type Scope, type Scopes } from './scopes.ts'
import { readTail } from './tail.ts'
import { type Input, scopedArgv, wrapperArgv } from './wrapper.ts'

/** What a launch uses of this machine. */
export interface LaunchTools {
  readonly processes: ProcessTable
  /** A POSIX shell: an absolute path. */
  readonly shell: string
  /** Where `setsid` and what the wrapper uses are found, in the form of PATH. */
  readonly toolPath: string
  readonly scopes: Scopes
  readonly groups: ControlGroups
  /** How long it may take until the agent's `exec`, in milliseconds. */
  readonly limitMs: number
}

/** A start takes 10 ms on an idle machine; each look is two system calls. */
const LOOK_MS = 2
/** By then it is worth a look whether the wrapper still lives. */
const SUSPICIOUS_MS = 100

/**
 * As `ProcessHost.launch`. `endAll` ends whatever bears the attempt's mark: it is called before a
 * rejection if anything may have been started.
 */
export async function launch(
  plan: LaunchPlan,
  tools: LaunchTools,
  endAll: () => Promise<unknown>,
): Promise<void> {
  requireSound(plan)
  const mark = markPrefix(plan.task, plan.fence) + randomBytes(9).toString('base64url')
  const { task, fence, environment } = plan
  const memoryBytes = plan.memoryBytes ?? null
  const scope = await tools.scopes.find({ task, fence, environment, memoryBytes })
  try {
    await createRunDirectory(plan, mark, tools.processes.place(), scope)
  } catch (error) {
    // Anything but the system's refusal is a bug of the caller.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    throw launchFailed(`cannot write ${plan.runDirectory}: ${messageOf(error)}`, error)
  }
  try {
    await (plan.terminal == null ? startScoped(plan, mark, scope, tools) : offer(plan, mark, tools))
    reach('launch.agent-seen')
    // An attempt that was reported as launched must not look like one that never started, after a
    // power cut.
    await syncPath(join(plan.runDirectory, 'pid'))
    reach('launch.agent-synced')
  } catch (error) {
    await endAll()
    reach('launch.ended')
    throw error instanceof AppError ? error : launchFailed(messageOf(error), error)
  }
}

/** A scope that cannot be made costs nobody their start, unless it was to limit the memory. */
async function startScoped(
  plan: LaunchPlan,
  mark: string,
  scope: Scope | null,
  tools: LaunchTools,
): Promise<void> {
  if (scope === null) return await start(plan, mark, null, tools)
  try {
    await start(plan, mark, scope, tools)
  } catch (error) {
    if (loadGroup(plan.runDirectory, scope.unit) !== undefined) throw error
    tools.scopes.distrust()
    const words = readTail(join(plan.runDirectory, 'scope.log'), WORDS_KEPT).trim()
    if (scope.memoryBytes !== null || !isAbandoned(plan.runDirectory, tools)) {
      throw launchFailed(`it has no scope of its own: ${words || messageOf(error)}`, error)
    }
    return await start(plan, mark, null, tools)
  }
  if (scope.memoryBytes === null) return
  const limit = loadGroup(plan.runDirectory, scope.unit)?.limit ?? ''
  if (!isHeld(limit, scope.memoryBytes)) {
    throw launchFailed(`its memory is not limited: ${scope.unit}.scope allows ${limit || '?'}`)
  }
}

async function start(
  plan: LaunchPlan,
  mark: string,
  scope: Scope | null,
  tools: LaunchTools,
): Promise<void> {
  const { runDirectory } = plan
  const wrapperTools = { ...tools, identify: tools.processes.shellIdentify }
  const groups = scope === null ? null : tools.groups
  const hold = holdingArgv(plan, groups, (plan.brief ?? null) === null ? 'read' : 'talk', tools)
  await startDetached({
    argv: scope === null ? hold : scopedArgv(wrapperTools, scope, runDirectory, hold),
    ownSession: tools.processes.ownSession(tools.toolPath),
    environment: { ...plan.environment, [MARK_VARIABLE]: mark },
    logFile: null,
  })
  reach('launch.handed-over')
  await waitForAgent(plan, tools)
}

function holdingArgv(
  { runDirectory, workingDirectory, argv, enclosure, umask }: LaunchPlan,
  groups: ControlGroups | null,
  input: Input,
  tools: LaunchTools,
): [string, ...string[]] {
  return wrapperArgv(
    { ...tools, identify: tools.processes.shellIdentify },
    {
      runDirectory,
      workingDirectory,
      argv,
      enclosure: enclosure?.argv ?? null,
      umask: umask ?? null,
      groups,
      input,
    },
  )
}

/** Whoever sits at the terminal is there already, and waits for it. */
async function offer(plan: LaunchPlan, mark: string, tools: LaunchTools): Promise<void> {
  const { runDirectory, terminal } = plan
  const own = terminal?.marked === true ? { [MARK_VARIABLE]: mark } : {}
  await writeOffer(runDirectory, {
    argv: holdingArgv(plan, null, 'terminal', tools),
    environment: { ...plan.environment, ...own },
  })
  reach('launch.offered')
  try {
    await waitForAgent(plan, tools)
  } catch (error) {
    throw isTaken(runDirectory)
      ? error
      : launchFailed('nobody sits at the terminal any more at which it was to be opened', error)
  }
}

/** Whether the wrapper has written itself down, and is gone. */
function isAbandoned(runDirectory: string, { processes }: Pick<LaunchTools, 'processes'>): boolean {
  const wrapper = loadIdentity(runDirectory, 'wrapper')
  return wrapper !== undefined && processes.liveness(wrapper) === 'dead'
}

async function waitForAgent(
  plan: LaunchPlan,
  { processes, limitMs }: Pick<LaunchTools, 'processes' | 'limitMs'>,
): Promise<void> {
  const began = performance.now()
  for (;;) {
    const waitedMs = performance.now() - began
    // Looked at before the agent is: whoever it has started is there by then, or never comes.
    const isLeft = waitedMs > SUSPICIOUS_MS && isAbandoned(plan.runDirectory, { processes })
    if (loadAgent(plan.runDirectory) !== undefined) return
    const ending = loadExit(plan.runDirectory)
    if (ending.kind === 'not_started') {
      throw launchFailed(whyNotStarted(ending.failure, plan))
    }
    if (isLeft) throw launchFailed('the wrapper died before there was an agent')
    if (waitedMs > limitMs) {
      throw launchFailed(`the agent process did not start within ${limitMs} ms`)
    }
    await sleep(LOOK_MS)
  }
}

/** So much of what a confinement says of itself is passed on. */
const WORDS_KEPT = 500

function whyNotStarted(failure: 'cwd' | 'start', plan: LaunchPlan): string {
  if (failure === 'cwd') return `cannot enter the working directory ${plan.workingDirectory}`
  // Nothing of the agent ran: these are the words of what was to confine it.
  const words = readTail(join(plan.runDirectory, 'stderr'), WORDS_KEPT).trim()
  return plan.enclosure === null || words === ''
    ? `the files in ${plan.runDirectory} cannot be opened`
    : `the agent could not be confined: ${words}`
}

/** A plan that can only fail is a bug of the caller, found before anything is written. */
function requireSound(plan: LaunchPlan): void {
  const paths = [plan.runDirectory, plan.workingDirectory, plan.argv[0]]
  for (const path of paths) if (!isAbsolute(path)) throw new Error(`not an absolute path: ${path}`)
  const enclosure = plan.enclosure?.argv ?? []
  const strings = [...paths, ...plan.argv, ...enclosure, ...Object.entries(plan.environment).flat()]
  if (strings.some(text => text.includes('\0'))) throw new Error('a zero byte in a launch plan')
}

function launchFailed(message: string, cause?: unknown): AppError {
  return new AppError('launch_failed', message, cause === undefined ? {} : { cause })
}
