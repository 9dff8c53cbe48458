/** Launches the agent of an attempt, in its worktree and held to its permissions. */
import { reach } from '../domain/crash-points.ts'
import { PORT_VARIABLE } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import { type Failure, type FailureCode, failureOf } from '../domain/outcome.ts'
import type { Permissions } from '../domain/permissions.ts'
import type { Agent, AgentInstallation, Environment } from '../ports/agent.ts'
import type { Confinement, Confines, Enclosure } from '../ports/confinement.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { enterHome } from './agent-home.ts'
import type { FollowPorts, Underway } from './follow-attempt.ts'
import { planLaunch } from './plan-launch.ts'
import { loadReading } from './read-output.ts'
import { orderSetUp, SetUpRefused } from './set-up.ts'
import { settleHeld } from './settle-permissions.ts'
import { isStoreTrouble } from './trouble.ts'

/** Null: the agent runs. */
export async function launchAgent(
  underway: Underway,
  worktree: WorktreeRecord,
  interruptedBy: Failure | null,
  ports: FollowPorts,
): Promise<Failure | null> {
  const { task, attempt, agent } = underway
  const { store, files, host, confinement, clock } = ports
  const { request, session } = task
  const { subdirectory } = request.repo
  const { opened } = request
  try {
    const environment = {
      ...(await files.readEnvironment(attempt.task)),
      ...(await claimPorts(underway, worktree, ports)),
    }
    const workingDirectory = await files.ensureWithin(worktree.path, subdirectory)
    if (workingDirectory === undefined) return leadsOut(worktree.path, subdirectory)
    const installation =
      opened?.by === 'editor'
        ? null
        : await agent.findInstallation(environment, request.argv, workingDirectory)
    const permissions = await settleHeld(task, agent, environment, confinement)
    const resumed = attempt.mode === 'resume' ? session : null
    const said = await store.launchWithMessages(attempt)
    if (said === undefined) return superseded
    reach('message.launched')
    const inHome = await enterHome(agent, resumed, request.workplace, environment, ports)
    const place = { worktree, workingDirectory, environment: inHome }
    const messages = said.map(({ text }) => text)
    const told = { resumed, interruptedBy, messages }
    const launch = await planLaunch(underway, installation, permissions, place, told, ports)
    const confines = {
      worktree: worktree.path,
      commonDir: worktree.commonDir,
      workingDirectory,
      program: launch.argv[0],
      environment: launch.environment,
      scratch: files.scratchDirectory(attempt.task),
      own: launch.own ?? { readable: [], writable: [] },
      ...(opened !== null && { terminal: true as const }),
    }
    const enclosure = await enclose(permissions, confines, confinement)
    const held = enclosure === null ? null : confines
    const setUp = await orderSetUp(task, worktree, held, { files, confinement })
    const first = setUp === null ? '' : `set-up (${request.setUp?.command?.argv.join(' ')}), then `
    await store.recordNote(
      attempt.task,
      attempt.fence,
      'attempt_started',
      `try ${attempt.fence} (${attempt.mode}): ${first}${describeProgram(underway, installation)}`,
      clock.now(),
    )
    reach('launch.noted')
    if (launch.session !== undefined) await noteSession(underway, launch.session, ports)
    if (resumed !== null) {
      await bringSession(agent, resumed, workingDirectory, launch.environment)
      await agent.keepSession?.(resumed, launch.environment, clock.now())
    }
    await host.launch({
      task: attempt.task,
      fence: attempt.fence,
      runDirectory: files.runDirectory(attempt.task, attempt.fence),
      argv: launch.argv,
      environment: { ...launch.environment, PWD: workingDirectory },
      workingDirectory,
      stdin: launch.stdin,
      brief: launch.brief ?? null,
      setUp,
      enclosure,
      memoryBytes: request.memoryBytes,
      umask: request.umask,
      terminal: opened === null ? null : { marked: opened.by === 'agent' },
    })
    return null
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    if (error instanceof SetUpRefused) return { code: 'setup_failed', message: error.message }
    return failureOf(codeOf(error), error)
  }
}

/** What is settled of it is refused anyway. */
const superseded: Failure = { code: 'launch_failed', message: 'a newer try exists' }

function describeProgram(
  { task, agent }: Underway,
  installation: AgentInstallation | null,
): string {
  const { opened } = task.request
  if (opened?.by === 'editor') return `the editor ${opened.argv.join(' ')}, at a terminal`
  const version = installation?.version ?? ''
  return `${agent.name} ${version}`.trimEnd() + (opened === null ? '' : ', at a terminal')
}

/** A session goes on wherever its task does; where it cannot, the agent itself will say so. */
async function bringSession(
  agent: Agent,
  session: SessionId,
  directory: string,
  environment: Environment,
): Promise<void> {
  const move = { session, from: directory, to: directory }
  const plan = await agent.planSessionMove?.(move, environment)
  if (plan?.kind === 'moves') await plan.carry()
}

/** What says which ports are the worktree's own; empty: it has none, which is told. */
async function claimPorts(
  { attempt }: Underway,
  { id }: WorktreeRecord,
  { store, portRange, clock }: FollowPorts,
): Promise<Environment> {
  const port = await store.claimPorts(id, portRange)
  reach('ports.claimed')
  if (port !== null) return { [PORT_VARIABLE]: String(port) }
  if (portRange.blocks > 0) {
    const text = `${PORT_VARIABLE} is not set: all ports are taken by other worktrees`
    await store.recordNote(attempt.task, attempt.fence, 'attempt_started', text, clock.now())
  }
  return {}
}

/** A session that is named in advance is known also if its agent dies before it says it. */
async function noteSession(
  underway: Underway,
  session: SessionId,
  { store, files, clock }: FollowPorts,
): Promise<void> {
  const { progress } = await loadReading(underway, { store, files })
  const translation = { ...progress.translation, session }
  await store.recordProgress(underway.attempt, { ...progress, translation }, [], clock.now())
}

/** An agent that stands elsewhere might take that for its workspace. */
function leadsOut(worktree: string, subdirectory: string): Failure {
  return {
    code: 'worktree_lost',
    message: `${subdirectory} leads out of the worktree ${worktree} since an agent has worked in it`,
    hint: 'what it did there was collected; hand the task in again with: holdfast run',
  }
}

/** In every attempt as it was settled at submission; where that does not hold any more, none starts. */
async function enclose(
  { effective, enforcedBy }: Permissions,
  confines: Omit<Confines, 'mode'>,
  confinement: Confinement,
): Promise<Enclosure | null> {
  if (enforcedBy !== 'system' || effective === 'full') return null
  return await confinement.enclose({ ...confines, mode: effective })
}

/** What comes to an attempt that is refused before its start. */
function codeOf(error: unknown): FailureCode {
  switch (error instanceof AppError ? error.code : null) {
    case 'agent_missing':
    case 'agent_too_old':
    case 'agent_logged_out':
      return 'agent_missing'
    case 'permissions_unavailable':
      return 'permissions_unavailable'
    default:
      return 'launch_failed'
  }
}
