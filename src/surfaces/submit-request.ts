/** Hands in what a program asks for, in a program's words. */
import { configuredAgent } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import type { PermissionMode } from '../domain/permissions.ts'
import type { ReviewRequest } from '../domain/review.ts'
import type { Task } from '../domain/task.ts'
import type { Tie } from '../domain/tie.ts'
import { findCheckout } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'
import { ringOrTell } from './look.ts'
import type { OptionWishes } from './settle-options.ts'
import {
  firstReadyAgent,
  type HandedIn,
  handInAndRing,
  handInTasks,
  planTask,
  planTasks,
  type Settled,
  type TaskWish,
} from './submit.ts'

/** A prompt for an agent, or the words of a command: one of the two. */
interface Asked {
  readonly agent?: string | undefined
  readonly prompt?: string | Uint8Array | undefined
  readonly command?: readonly string[] | undefined
  readonly retryOnCrash?: boolean | undefined
  readonly model?: string | undefined
  readonly effort?: string | undefined
  readonly permissions?: PermissionMode | undefined
  /** How much memory a try may use, as `--memory` takes it. */
  readonly memory?: string | undefined
  /** What it ends with. Absent, or null: it outlives whoever asks. */
  readonly tie?: Tie | null
  /** What it reviews. */
  readonly review?: ReviewRequest
  /** Whoever asks is likely to wait for the end, and has it from there. */
  readonly isAwaited?: boolean
}

/** Durable when this returns, and a worker was told of it. */
export async function submitRequest(
  asked: Asked,
  options: OptionWishes,
  context: SurfaceContext,
): Promise<HandedIn> {
  const settled = await settle(context)
  const wish = await makeWish(asked, options, settled, context)
  return await handInAndRing(await planTask(wish, settled, context), context)
}

/** The same for several agents, or several tries: a group. */
interface AskedTogether {
  /** Absent: the one agent that `Asked` names, or the configured one. */
  readonly agents?: readonly string[] | undefined
  /** How many tries each of them gets. Absent: one. */
  readonly bestOf?: number | undefined
}

export const isGroup = ({ agents, bestOf }: AskedTogether) =>
  agents !== undefined || bestOf !== undefined

/** All of them or none; durable when this returns, and a worker was told of it. */
export async function submitGroup(
  asked: Asked & AskedTogether,
  options: OptionWishes,
  context: SurfaceContext,
): Promise<{ readonly tasks: readonly Task[]; readonly isNew: boolean }> {
  const { agents, bestOf = 1 } = asked
  if (agents !== undefined && asked.agent !== undefined) {
    throw new AppError(
      'bad_usage',
      'agent names one agent, and agents several: give one of the two',
    )
  }
  if (!Number.isInteger(bestOf)) throw new AppError('bad_usage', `${bestOf} tries are no number`)
  const settled = await settle(context)
  const wish = await makeWish(
    { ...asked, agent: asked.agent ?? agents?.[0] },
    options,
    settled,
    context,
  )
  const together = { agents: agents ?? [wish.agentName], each: bestOf }
  const plans = await planTasks(wish, together, settled, context)
  const handedIn =
    'handedInBefore' in plans
      ? { tasks: plans.handedInBefore, isNew: false }
      : await handInTasks(plans, context)
  await ringOrTell(context)
  return handedIn
}

async function settle({ directory, holdfast }: SurfaceContext): Promise<Settled> {
  const root = findCheckout(directory)?.root ?? null
  return { root, configuration: await holdfast.configuration(root) }
}

async function makeWish(
  asked: Asked,
  options: OptionWishes,
  settled: Settled,
  context: SurfaceContext,
): Promise<TaskWish> {
  const { agentName, prompt, argv } = await chooseAgent(asked, settled, context)
  return {
    agentName,
    prompt,
    argv,
    retryOnCrash: asked.retryOnCrash ?? false,
    model: asked.model,
    effort: asked.effort,
    permissions: asked.permissions,
    memory: asked.memory,
    ...(asked.review === undefined ? {} : { review: asked.review }),
    tie: asked.tie ?? null,
    isAwaited: asked.isAwaited ?? false,
    options,
  }
}

async function chooseAgent(asked: Asked, { configuration }: Settled, context: SurfaceContext) {
  const { agent, prompt, command, model, effort, retryOnCrash } = asked
  if (command !== undefined || agent === 'command') {
    if (prompt !== undefined || (agent ?? 'command') !== 'command') {
      throw new AppError('bad_usage', 'an agent takes a prompt, and the agent command a command', {
        hint: 'give one of the two: prompt, or command with the words of it',
      })
    }
    const other = model === undefined ? effort && 'effort' : 'model'
    if (other !== undefined) {
      throw new AppError('bad_usage', `${other} does nothing for the agent command`)
    }
    return { agentName: 'command', prompt: new Uint8Array(), argv: command ?? [] }
  }
  if (retryOnCrash === true) {
    throw new AppError('bad_usage', 'retryOnCrash does nothing for any agent but command')
  }
  if (prompt === undefined) throw new AppError('bad_prompt', 'there is no prompt')
  return {
    agentName: agent ?? configuredAgent(configuration) ?? (await firstReadyAgent(context)),
    prompt: typeof prompt === 'string' ? new TextEncoder().encode(prompt) : prompt,
    argv: [],
  }
}
