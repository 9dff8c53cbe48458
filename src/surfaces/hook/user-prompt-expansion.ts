/** Somebody has typed a command of ours: it is answered, or its text kept for the model to hand in. */
import type { CommandContext } from '../cli/command.ts'
import { answerCommand } from './answer-command.ts'
import { asCaller, taskAround } from './hook-context.ts'
import type { HookInput } from './input.ts'
import { isAnswered, parsePluginCommand } from './plugin-command.ts'
import { addContext, answerUser, cut, type Reply } from './reply.ts'
import { takeRequest } from './take-request.ts'

export async function onUserPromptExpansion(
  input: HookInput,
  context: CommandContext,
): Promise<Reply> {
  const command = parsePluginCommand(input.command.name, input.plugin)
  if (command === undefined) return undefined
  const { verb, plugin, agent } = command
  const typed = input.command.arguments
  const caller = asCaller(context, input)
  if (isAnswered(verb)) {
    const text = await answerCommand(verb, typed, caller, true)
    return answerUser(cut(text, `holdfast ${verb} ${typed}`.trimEnd()))
  }
  const task = taskAround(context)
  if (task !== undefined) return answerUser(insideTask(task))
  const { transcript } = input
  const request = { kind: verb, text: typed, plugin, agent, isOfSubagent: false, transcript }
  const taken = await takeRequest(request, caller)
  return 'problem' in taken
    ? answerUser(taken.problem)
    : addContext('UserPromptExpansion', taken.words)
}

/** A task whose agent hands the same on would never end. */
export function insideTask(task: string): string {
  return `This session of Claude Code is itself the agent of the Holdfast task ${task}: do the work here. (To delegate a part of it on purpose: holdfast run.)`
}
