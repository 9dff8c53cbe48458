/**
 * What a person drives at a terminal, as a task: the agent's own user interface on a task's session,
 * an editor on its worktree, or a new worktree with a user interface. The worker readies the worktree
 * and offers the start; whoever opens takes it (`ProcessHost.takeOffer`). From there on it is an
 * attempt like any other, but that nothing of it is heard, nothing limits it, and it is begun once.
 */

import { agentEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import { followerName } from '../domain/ids.ts'
import type { AgentExit, Failure } from '../domain/outcome.ts'
import { describeExit } from '../domain/outcome.ts'
import type { PermissionMode, Permissions } from '../domain/permissions.ts'
import { type Caller, hasEnded, OPENED_REQUEST, type Opened, type Task } from '../domain/task.ts'
import type {
  Agent,
  AgentInstallation,
  AgentLaunch,
  Environment,
  InteractiveRequest,
} from '../ports/agent.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { AttemptEnd, Underway } from './follow-attempt.ts'
import { requirePlace } from './go-on.ts'
import type { HandInPlan } from './hand-in.ts'
import { type Asker, choiceFor, type ResubmitPorts, rightsOf, takeOverSetUp } from './resubmit.ts'

/** What is confined, or delegates, would open something that is neither. */
export function checkOpener({ kind, id }: Caller): void {
  if (kind !== 'task') return
  throw new AppError('refused_in_state', `the task ${id} asks: only a person can open anything`, {
    hint: 'an agent hands tasks in: holdfast run',
  })
}

/**
 * What holds it: its own flags, else the system's confinement around it, where that can hold a program
 * at a terminal. Refuses an agent without a user interface, and with `permissions_unavailable`.
 */
export async function settleOpened(
  opened: Opened,
  agent: Agent,
  asked: PermissionMode,
  environment: Environment,
  confinement: Confinement,
): Promise<Permissions> {
  if (opened.by === 'editor') return { asked, effective: 'full', enforcedBy: 'none' }
  const { name, ui } = agent
  if (ui === undefined) {
    throw new AppError('bad_usage', `${name} has no user interface that could be opened`, {
      hint: 'those of codex, claude, opencode and pi can be; --editor opens the worktree',
    })
  }
  if (ui.holdsPermissions && agent.settlePermissions !== undefined) {
    return await agent.settlePermissions(asked, environment)
  }
  if (asked !== 'full' && confinement.holdsTerminals) {
    await confinement.requireWorking()
    return { asked, effective: asked, enforcedBy: 'system' }
  }
  return { asked, effective: 'full', enforcedBy: 'none' }
}

interface OpenWish {
  readonly opened: Opened
  /** Null: as the task was asked. */
  readonly permissions: PermissionMode | null
}

/** A task that follows one that has ended, in its session and worktree. */
export async function planOpen(
  task: Task,
  agent: Agent,
  { opened, permissions }: OpenWish,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id, name, repo } = task.request
  checkOpener(asker.caller)
  requireEnded(task)
  const environment = agentEnvironment(asker.environment)
  const asked = permissions ?? task.request.permissions.asked
  const settled = await settleOpened(opened, agent, asked, environment, ports.confinement)
  const place = await requirePlace(task, asker, ports)
  const { commonDir, workplace, record } = place
  if (opened.by === 'agent') await agent.findInstallation(environment, [], record.path)
  const { base, ...rest } = task.request
  const plan: HandInPlan = {
    prompt: new Uint8Array(),
    environment,
    request: {
      ...rest,
      ...OPENED_REQUEST,
      opened,
      ...choiceFor(agent, task.request),
      name: followerName(name),
      repo: { ...repo, commonDir },
      workplace,
      permissions: settled,
      caller: asker.caller,
      follows: id,
      session: task.session,
      sessionUsage: null,
      ownPrompt: false,
    },
    seen: { record, newestTask: place.newestTask },
    setUp: null,
    takeBase: async anew => {
      await ports.worktrees.holdBase(commonDir, anew, base)
      return base
    },
  }
  return {
    ...plan,
    ...(place.takeBase === null
      ? { setUp: await takeOverSetUp(task, rightsOf(task, plan), ports) }
      : { takeBase: place.takeBase }),
  }
}

function requireEnded({ request: { id }, state }: Task): void {
  if (hasEnded(state)) return
  const waits = state.name === 'waiting' && state.wait.reason !== 'dependency'
  throw new AppError(
    'refused_in_state',
    `${id} has not ended: it is ${state.name}${waits ? ', and goes on by itself' : ''}`,
    {
      hint: waits
        ? `holdfast cancel ${id} keeps what it has done; then holdfast open ${id}`
        : `holdfast wait ${id}, or holdfast cancel ${id}, and then holdfast open ${id}`,
    },
  )
}

/** How what was opened is started, in its worktree. */
export function planOpenedLaunch(
  { task, agent }: Pick<Underway, 'task' | 'agent'>,
  place: Pick<InteractiveRequest, 'worktree' | 'workingDirectory' | 'sessionToBe'>,
  installation: AgentInstallation | null,
  environment: Environment,
): AgentLaunch {
  const { opened, model, effort, permissions } = task.request
  const stdin = new Uint8Array()
  if (opened?.by === 'editor') {
    return { argv: [...opened.argv, place.workingDirectory], environment, stdin }
  }
  if (agent.ui === undefined || installation === null) throw new Error(`${agent.name} has no ui`)
  const { session } = task
  const request = { installation, model, effort, permissions, session, environment, ...place }
  return { ...agent.ui.planLaunch(request), stdin }
}

/**
 * What the end of one comes to: null where it is over and well, for which nobody vouches but whoever
 * drove it. It is not begun again.
 */
export function judgeOpened(
  end: AttemptEnd,
  exit: AgentExit,
  /** Whoever opened it, or the terminal, was gone before it ended. */
  isDeserted: boolean,
  { request }: Task,
): Failure | null {
  const what = request.opened?.by === 'editor' ? 'the editor' : `the interface of ${request.agent}`
  const hint = `what was done is kept; holdfast open ${request.id} goes on with it`
  if (end.kind === 'never_started') return { code: 'launch_failed', message: end.why, hint }
  if (end.kind === 'refused') return end.failure
  // Ctrl-C is how people leave: once a program has given the terminal back, it is a signal.
  const isLeft = exit.kind === 'signalled' && exit.signal === SIGINT
  const isClosed = isDeserted || (exit.kind === 'signalled' && exit.signal === SIGHUP)
  if (end.kind === 'abandoned' || isClosed) {
    return { code: 'terminal_lost', message: `the terminal of ${what} was closed`, hint }
  }
  if (isLeft || (exit.kind === 'exited' && exit.code === 0)) return null
  const crash = request.opened?.by === 'editor' ? 'command_failed' : 'agent_crashed'
  const code = exit.kind === 'unknown' ? 'exit_unknown' : crash
  return { code, message: `${what} ended with ${describeExit(exit)}`, hint }
}

const SIGHUP = 1
const SIGINT = 2
