/** Plans what a caller asks for, and hands it in: for every surface. */
import {
  type Configuration,
  configuredBounds,
  configuredChoice,
  configuredMemoryBytes,
  configuredOneShot,
  configuredPermissions,
} from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import type { PermissionMode } from '../domain/permissions.ts'
import type { ReviewRequest } from '../domain/review.ts'
import type { Opened, Task } from '../domain/task.ts'
import type { Tie } from '../domain/tie.ts'
import { type HandInPlan, handIn, handInGroup } from '../engine/hand-in.ts'
import { planSubmission, type Source, type Submission } from '../engine/submit.ts'
import { currentUmask } from './caller.ts'
import type { SurfaceContext } from './context.ts'
import { callerEnvironment, handInPorts, planPorts } from './hand-in-ports.ts'
import { ringOrTell } from './look.ts'
import { settleMemory } from './memory-limit.ts'
import { readSetUpWish } from './set-up-wish.ts'
import { type OptionWishes, settleOptions } from './settle-options.ts'
import { keepToken } from './subscriptions.ts'

/** What is to be done, and how. Undefined: as configured. */
export interface TaskWish {
  readonly agentName: string
  /** Byte for byte; empty for the agent `command`. */
  readonly prompt: Uint8Array
  /** For the agent `command`. */
  readonly argv: readonly string[]
  readonly retryOnCrash: boolean
  /** Null: the agent's own. */
  readonly model: string | null | undefined
  readonly effort: string | null | undefined
  readonly permissions: PermissionMode | undefined
  /** A session that has come to its end, and is given the prompt. Null: a new one. */
  readonly session?: SessionId | null
  /** How much memory a try may use, as `--memory` takes it. */
  readonly memory?: string | undefined
  /** What it reviews. */
  readonly review?: ReviewRequest
  /** What it starts from, where that is not the checkout that the caller stands in. */
  readonly source?: Source | undefined
  /** What it ends with. */
  readonly tie?: Tie | null
  /** It is not talked to while it works, even where it could be. Absent: as configured. */
  readonly oneShot?: boolean | undefined
  /** A person drives it. Absent: its agent works by itself. */
  readonly opened?: Opened
  /** The caller stays with it, and has its end from there. */
  readonly isAwaited?: boolean
  readonly options: OptionWishes
}

/** The checkout that the caller stands in (null: none), and what was set beforehand. */
export interface Settled {
  readonly root: string | null
  readonly configuration: Configuration
}

export interface HandedIn {
  readonly task: Task
  /** False: it was handed in before, under the same key. */
  readonly isNew: boolean
}

/** Refuses whatever can be refused before anything is written. */
export async function planTask(
  wish: TaskWish,
  settled: Settled,
  context: SurfaceContext,
): Promise<HandInPlan | { readonly handedInBefore: Task }> {
  const submission = await makeSubmission(wish, settled, context)
  return await planSubmission(submission, await planPorts(context))
}

/** The same for several agents, or several tries of each: see `planGroup`. */
export async function planTasks(
  wish: TaskWish,
  { agents, each }: { readonly agents: readonly string[]; readonly each: number },
  settled: Settled,
  context: SurfaceContext,
): Promise<readonly HandInPlan[] | { readonly handedInBefore: readonly Task[] }> {
  const { planGroup } = await import('../engine/plan-group.ts')
  const { randomBytes } = await import('node:crypto')
  refuseOnesOwn(wish, agents)
  const submissions: Submission[] = []
  for (const agentName of agents) {
    submissions.push(await makeSubmission({ ...wish, agentName }, settled, context))
  }
  return await planGroup(submissions, each, { ...(await planPorts(context)), randomBytes })
}

/** Each agent names its models and efforts itself, and only one of them takes a command. */
function refuseOnesOwn({ model, effort }: TaskWish, agents: readonly string[]): void {
  if (agents.length < 2) return
  if (agents.includes('command')) {
    throw new AppError(
      'bad_usage',
      'the agent command takes no prompt: it is in no group of others',
    )
  }
  const own = model === undefined ? effort && 'effort' : 'model'
  if (own === undefined) return
  throw new AppError('bad_usage', `one ${own} for several agents: each names its own`, {
    hint: `leave it out: each takes the ${own} of its own configuration`,
  })
}

async function makeSubmission(
  wish: TaskWish,
  { root, configuration }: Settled,
  context: SurfaceContext,
): Promise<Submission> {
  const agent = await context.holdfast.agent(wish.agentName)
  const choice = (key: 'model' | 'effort') =>
    agent.capabilities.takesPrompt
      ? configuredChoice(configuration, key, wish.agentName)
      : undefined
  const options = await settleOptions(wish.options, configuration, wish.isAwaited ?? false, context)
  return {
    agent,
    prompt: wish.prompt,
    argv: wish.argv,
    retryOnCrash: wish.retryOnCrash,
    umask: currentUmask(),
    model: wish.model === undefined ? (choice('model') ?? null) : wish.model,
    effort: wish.effort === undefined ? (choice('effort') ?? null) : wish.effort,
    permissions: wish.permissions ?? configuredPermissions(configuration) ?? null,
    bounds: configuredBounds(configuration, 'capture'),
    setUp: await readSetUpWish(root, configuration, context),
    caller: context.caller,
    session: wish.session ?? null,
    ...(wish.opened === undefined ? {} : { opened: wish.opened }),
    memoryBytes: await settleMemory(
      wish.memory,
      configuredMemoryBytes(configuration),
      context.holdfast,
    ),
    ...(wish.review === undefined ? {} : { review: wish.review }),
    ...(wish.source === undefined ? {} : { source: wish.source }),
    tie: wish.tie ?? null,
    oneShot: wish.oneShot ?? configuredOneShot(configuration),
    callerEnvironment: callerEnvironment(context),
    ...options,
  }
}

/** Durable when this returns. The worker is yet to be told. */
export async function handInPlanned(plan: HandInPlan, context: SurfaceContext): Promise<HandedIn> {
  const { environment, holdfast } = context
  const ports = await handInPorts(context)
  const keep = () => keepToken(plan.request.notify, environment, holdfast)
  await keep()
  const handedIn = await handIn(plan, ports)
  // Until it was handed in, nobody knew that anybody waits for the token.
  await keep()
  return handedIn
}

/** The same, or as it was handed in before; and a worker was told of it. */
export async function handInAndRing(
  plan: HandInPlan | { readonly handedInBefore: Task },
  context: SurfaceContext,
): Promise<HandedIn> {
  const handedIn =
    'handedInBefore' in plan
      ? { task: plan.handedInBefore, isNew: false }
      : await handInPlanned(plan, context)
  await ringOrTell(context)
  return handedIn
}

/** All of them or none. */
export async function handInTasks(
  plans: readonly HandInPlan[],
  context: SurfaceContext,
): Promise<{ readonly tasks: readonly Task[]; readonly isNew: boolean }> {
  const { environment, holdfast } = context
  const ports = await handInPorts(context)
  const notify = plans.flatMap(plan => plan.request.notify)
  await keepToken(notify, environment, holdfast)
  const handedIn = await handInGroup(plans, ports)
  await keepToken(notify, environment, holdfast)
  return handedIn
}

/** The first agent that takes prompts and is installed and logged in. */
export async function firstReadyAgent({
  holdfast,
  environment,
  directory,
}: SurfaceContext): Promise<string> {
  const { agentEnvironment } = await import('../domain/environment.ts')
  const missing: string[] = []
  const troubles: AppError[] = []
  for (const name of await holdfast.agentNames()) {
    const agent = await holdfast.agent(name)
    if (!agent.capabilities.takesPrompt) continue
    try {
      await agent.findInstallation(agentEnvironment(environment), [], directory)
      return name
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      if (error.code === 'agent_missing') missing.push(name)
      else troubles.push(error)
    }
  }
  const [first] = troubles
  const why = troubles.map(({ message }) => message)
  if (missing.length > 0) why.push(`not installed: ${missing.join(', ')}`)
  const remedy = first?.hint ?? 'install one, for example: npm install --global @openai/codex'
  throw new AppError(first?.code ?? 'agent_missing', `no agent is ready (${why.join('; ')})`, {
    hint: `${remedy}; all of them: holdfast agents`,
  })
}
