/** A model is about to use a tool: a command of ours, an agent of ours, or the one line that it was given. */
import { isReview } from '../../domain/kept-request.ts'
import type { CommandContext } from '../cli/command.ts'
import { readArguments } from '../rescue/read-arguments.ts'
import { answerCommand } from './answer-command.ts'
import { asCaller, taskAround } from './hook-context.ts'
import { type HookInput, textOf } from './input.ts'
import { ownLine, parseOwnLine } from './own-command.ts'
import {
  commandOfForwarder,
  isAnswered,
  type PluginCommand,
  parsePluginCommand,
} from './plugin-command.ts'
import { allow, cut, deny, type Reply } from './reply.ts'
import { takeRequest } from './take-request.ts'
import { insideTask } from './user-prompt-expansion.ts'

export async function onPreToolUse(input: HookInput, context: CommandContext): Promise<Reply> {
  switch (input.tool.name) {
    case 'Skill':
      return await onSkill(input, context)
    case 'Agent':
    case 'Task':
      return await onAgent(input, context)
    case 'Bash':
      return await onBash(input, context)
    default:
      return undefined
  }
}

async function onSkill(input: HookInput, context: CommandContext): Promise<Reply> {
  const { skill, args, ...rest } = input.tool.input
  const command = parsePluginCommand(textOf(skill), input.plugin)
  if (command === undefined) return undefined
  const typed = textOf(args)
  const { verb } = command
  if (isAnswered(verb)) {
    // What it may set is its user's, who can type it.
    if (verb === 'setup' && typed.trim() !== '') return deny(setupIsTyped(command.plugin))
    const text = await answerCommand(verb, typed, asCaller(context, input), false)
    const whole = `holdfast ${verb} ${typed}`.trimEnd()
    return allow({ ...rest, skill, args: '' }, cut(text, whole))
  }
  // A model may have been told by anything that it has read to hand on what is of another project.
  const read = readArguments(verb, typed)
  if (typeof read !== 'string' && read.source !== undefined) {
    return deny(sourceIsTyped(command.plugin))
  }
  const taken = await take(command, typed, input.agentId !== null, input, context)
  return typeof taken === 'string' ? deny(taken) : allow({ ...rest, skill, args: '' }, taken.words)
}

const setupIsTyped = (plugin: string) =>
  `Only its user sets that: ask them to type /${plugin}:setup with it. Without arguments /${plugin}:setup shows how things stand.`

const sourceIsTyped = (plugin: string) =>
  `Only its user names another conversation: ask them to type /${plugin}:transfer with it. Without --source this one is handed over.`

async function onAgent(input: HookInput, context: CommandContext): Promise<Reply> {
  const command = commandOfForwarder(textOf(input.tool.input.subagent_type), input.plugin)
  if (command === undefined) return undefined
  const taken = await take(command, textOf(input.tool.input.prompt), true, input, context)
  if (typeof taken === 'string') return deny(taken)
  return allow({ ...input.tool.input, prompt: taken.words })
}

/** In words, why it is not taken. */
async function take(
  { verb, plugin, agent }: PluginCommand,
  text: string,
  isOfSubagent: boolean,
  input: HookInput,
  context: CommandContext,
): Promise<string | { readonly words: string }> {
  const task = taskAround(context)
  if (task !== undefined) return insideTask(task)
  if (isAnswered(verb)) throw new Error(`${verb} is answered at once`)
  const { transcript } = input
  const request = { kind: verb, text, plugin, agent, isOfSubagent, transcript }
  const taken = await takeRequest(request, asCaller(context, input))
  return 'problem' in taken ? taken.problem : taken
}

/** So long Claude Code lets a command run in the foreground. */
const LONGEST_MS = 600_000
/** Before that is over it has said how things stand, on a slow machine too. */
const AT_MOST = '9m'

/**
 * Our own line needs no permission, to the letter and nothing beside it; and only for a request that
 * is there. A subagent's command does not go into the background: Claude Code would end it with the
 * subagent.
 */
async function onBash(input: HookInput, { holdfast }: CommandContext): Promise<Reply> {
  const own = parseOwnLine(holdfast.command, textOf(input.tool.input.command))
  if (own === undefined) return adviseSubagent(input)
  const request = await (await holdfast.pluginFiles()).findRequest(own.request)
  if (request === undefined) return undefined
  // What may change files is the user's to allow while only a plan is made.
  if (input.permissionMode === 'plan' && !isReview(request.kind)) return undefined
  const line = ownLine(holdfast.command, own)
  const stays = input.agentId !== null || input.tool.input.run_in_background !== true
  if (!stays) return allow({ ...input.tool.input, command: line })
  return allow({
    ...input.tool.input,
    command: `${line} --at-most ${AT_MOST}`,
    timeout: LONGEST_MS,
    run_in_background: false,
  })
}

/** What a subagent runs in the background is ended with it; a task need not be waited for there. */
function adviseSubagent({ agentId, tool }: HookInput): Reply {
  const isRun = /\bholdfast(?:\.cjs)?\s+(?:run|review|send|resume|retry)\b/.test(
    textOf(tool.input.command),
  )
  if (agentId === null || !isRun || tool.input.run_in_background !== true) return undefined
  return deny(
    'Claude Code ends what a subagent runs in the background when the subagent ends. Run it in the foreground, without --wait: it prints the id of a task at once, and the task goes on by itself. Whoever asked is told when it ends; holdfast result ID gives its answer.',
  )
}
