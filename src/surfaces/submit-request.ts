/** Hands in what a program asks for, in a program's words. */
import { configuredAgent } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import type { PermissionMode } from '../domain/permissions.ts'
import { findCheckout } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'
import { ringOrTell } from './look.ts'
import type { OptionWishes } from './settle-options.ts'
import { firstReadyAgent, type HandedIn, handInPlanned, planTask, type Settled } from './submit.ts'

/** A prompt for an agent, or the words of a command: one of the two. */
export interface Asked {
  readonly agent?: string | undefined
  readonly prompt?: string | Uint8Array | undefined
  readonly command?: readonly string[] | undefined
  readonly retryOnCrash?: boolean | undefined
  readonly model?: string | undefined
  readonly effort?: string | undefined
  readonly permissions?: PermissionMode | undefined
  /** Whoever asks is likely to wait for the end, and has it from there. */
  readonly isAwaited?: boolean
}

/** Durable when this returns, and a worker was told of it. */
export async function submitRequest(
  asked: Asked,
  options: OptionWishes,
  context: SurfaceContext,
): Promise<HandedIn> {
  const root = findCheckout(context.directory)?.root ?? null
  const settled = { root, configuration: await context.holdfast.configuration(root) }
  const { agentName, prompt, argv } = await chooseAgent(asked, settled, context)
  const wish = {
    agentName,
    prompt,
    argv,
    retryOnCrash: asked.retryOnCrash ?? false,
    model: asked.model,
    effort: asked.effort,
    permissions: asked.permissions,
    isAwaited: asked.isAwaited ?? false,
    options,
  }
  const plan = await planTask(wish, settled, context)
  const handedIn =
    'handedInBefore' in plan
      ? { task: plan.handedInBefore, isNew: false }
      : await handInPlanned(plan, context)
  await ringOrTell(context)
  return handedIn
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
