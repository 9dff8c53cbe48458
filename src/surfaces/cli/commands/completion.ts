import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

const usage = 'completion bash|zsh|fish'

/** Nobody looks for an older one by its name. */
const TASKS_OFFERED = 200

export const completion = defineCommand({
  name: 'completion',
  group: 'Keep house',
  summary: 'A script that lets your shell complete commands, flags and tasks',
  usage,
  flags: jsonFlag,
  examples: [
    'source <(holdfast completion bash)',
    'source <(holdfast completion zsh)',
    'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
  ],
  async run({ flags, words }, context) {
    const shell = requireWord(words, 'shell', usage)
    // What the scripts call, while somebody waits for it.
    if (shell === 'tasks' && flags.json !== true) return await offerTasks(context)
    const script = await makeScript(shell, context)
    if (flags.json === true) context.output.writeJson({ shell, script })
    else context.output.write(script)
    return exitCodes.done
  },
})

async function makeScript(shell: string, { holdfast }: CommandContext): Promise<string> {
  const { makeCompletions } = await import('../completion/completions.ts')
  const { commands } = await import('../main.ts')
  const all = await Promise.all(Object.values(commands).map(load => load()))
  const definitions = all.filter(({ group }) => group !== 'For programs')
  const completions = makeCompletions(definitions, await holdfast.agentNames())
  switch (shell) {
    case 'bash':
      return (await import('../completion/bash.ts')).bashScript(completions)
    case 'zsh':
      return (await import('../completion/zsh.ts')).zshScript(completions)
    case 'fish':
      return (await import('../completion/fish.ts')).fishScript(completions)
    default:
      throw new AppError('bad_usage', `there is no completion for ${shell}`, {
        hint: `usage: holdfast ${usage}`,
      })
  }
}

/** A line a name: first the newest tasks by name, then by id. A look makes no store. */
async function offerTasks({ holdfast, output }: CommandContext): Promise<number> {
  if (!existsSync(join(holdfast.home, 'store.db'))) return exitCodes.done
  const tasks = await (await holdfast.store()).listTasks({ limit: TASKS_OFFERED })
  const names = new Map(tasks.toReversed().map(task => [task.request.name, task]))
  const lines = [
    ...[...names.entries()].toReversed().map(([name, { state }]) => `${name}\t${state.name}\n`),
    ...tasks.map(({ request, state }) => `${request.id}\t${request.name}, ${state.name}\n`),
  ]
  if (lines.length > 0) output.write(lines.join(''))
  return exitCodes.done
}
