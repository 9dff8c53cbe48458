/** The life of a caller session: it begins, somebody says something in it, it ends. Nothing of ours ends with it. */
import { messageOf } from '../../domain/errors.ts'
import { activeStates } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { asCaller, taskAround } from './hook-context.ts'
import type { HookInput } from './input.ts'
import { isAnswered, parsePluginCommand } from './plugin-command.ts'
import { addContext, type Reply } from './reply.ts'
import { describeUntold, listUntold } from './untold.ts'

export async function onSessionStart(input: HookInput, context: CommandContext): Promise<Reply> {
  const task = taskAround(context)
  if (task !== undefined) {
    const text = `This session is the agent of the Holdfast task ${task}: do its work here, and hand none of it on by /holdfast:rescue or its agent.`
    return addContext('SessionStart', text)
  }
  const text = await tell(
    input,
    'Holdfast: since nobody looked, these tasks have ended or ask something',
    context,
  )
  if (text === undefined) return undefined
  // The user reads it too: what an earlier session has asked for is theirs.
  return { systemMessage: text, ...addContext('SessionStart', text) }
}

export async function onUserPromptSubmit(
  input: HookInput,
  context: CommandContext,
): Promise<Reply> {
  if (taskAround(context) !== undefined || goesToNoModel(input.prompt)) return undefined
  await noteTurn(input, context)
  const text = await tell(
    input,
    'Holdfast: these tasks have ended meanwhile, or ask something',
    context,
  )
  return text === undefined ? undefined : addContext('UserPromptSubmit', text)
}

/** Where it cannot be, all that is uncommitted counts as the turn's. */
async function noteTurn(input: HookInput, context: CommandContext): Promise<void> {
  try {
    const { beginTurn } = await import('./turn.ts')
    await beginTurn(input, context)
  } catch (error) {
    await (await context.holdfast.pluginFiles()).log(`UserPromptSubmit: ${messageOf(error)}`)
  }
}

/** What is told beside such a prompt would be lost. */
function goesToNoModel(prompt: string): boolean {
  const [, name = '', plugin = ''] = /^\/((\w+):\S+)/.exec(prompt) ?? []
  const command = parsePluginCommand(name, plugin)
  return command !== undefined && isAnswered(command.verb)
}

/** So begins what a session is sent by us. */
const OUR_WORDS = 'Holdfast: '

async function tell(
  input: HookInput,
  title: string,
  context: CommandContext,
): Promise<string | undefined> {
  const { holdfast } = context
  if (!holdfast.isInUse()) return undefined
  const all = await listUntold(input.session, asCaller(context, input))
  const untold = all.filter(({ delivery }) => !input.prompt.includes(delivery.task))
  // What came by its inbox is told; a user who names a task may not know that it has ended.
  const shown = input.prompt.startsWith(OUR_WORDS) ? all : untold
  if (shown.length > 0) {
    const ids = shown.map(({ delivery }) => delivery.id)
    await (await holdfast.pluginFiles()).addShown(input.session, ids)
  }
  if (untold.length === 0) return undefined
  return `${title}. Tell the user in a line each; take nothing home unasked.\n${describeUntold(untold)}`
}

/** The same program may go on with another session, and then its inbox does too. */
const GOES_ON = ['clear', 'resume']

/** Its inbox is closed by now, and no variable names it any more: what waits for its tasks does. */
export async function onSessionEnd(
  { session, why }: HookInput,
  { holdfast }: CommandContext,
): Promise<Reply> {
  if (GOES_ON.includes(why) || !holdfast.isInUse()) return undefined
  const open = await (await holdfast.store()).listTasks({ states: openStates })
  const files = open
    .flatMap(({ request }) => request.notify)
    .flatMap(({ to }) => (to.kind === 'claude' && to.session === session ? [to.tokenFile] : []))
  const tokens = await holdfast.callerTokens()
  for (const file of new Set(files)) if (file !== null) await tokens.forget(file)
  return undefined
}

const openStates = ['queued', 'waiting', ...activeStates] as const
