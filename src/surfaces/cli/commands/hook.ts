import { AppError, messageOf } from '../../../domain/errors.ts'
import { type HookInput, parseHookInput } from '../../hook/input.ts'
import { type Reply, Wake } from '../../hook/reply.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

type Hook = (input: HookInput, context: CommandContext) => Promise<Reply | Wake>

/** Loaded by name: one that only forgets may not take long. */
const hooks: Readonly<Record<string, () => Promise<Hook>>> = {
  SessionStart: async () => (await import('../../hook/session.ts')).onSessionStart,
  UserPromptSubmit: async () => (await import('../../hook/session.ts')).onUserPromptSubmit,
  PostToolUse: async () => (await import('../../hook/post-tool-use.ts')).onPostToolUse,
  Stop: async () => (await import('../../hook/stop.ts')).onStop,
  WorktreeCreate: async () => (await import('../../hook/worktree.ts')).onWorktreeCreate,
  WorktreeRemove: async () => (await import('../../hook/worktree.ts')).onWorktreeRemove,
  SessionEnd: async () => (await import('../../hook/session.ts')).onSessionEnd,
  UserPromptExpansion: async () =>
    (await import('../../hook/user-prompt-expansion.ts')).onUserPromptExpansion,
  PreToolUse: async () => (await import('../../hook/pre-tool-use.ts')).onPreToolUse,
}

/** By which Claude Code knows that a session is to be woken (`asyncRewake`); the launcher passes it on. */
const WAKES = 2

const usage = 'hook EVENT [PLUGIN]'

export const hook = defineCommand({
  name: 'hook',
  group: 'For programs',
  summary: 'What the plugin for Claude Code calls at each of its events, with JSON on stdin',
  usage,
  flags: {},
  examples: ['holdfast hook SessionStart < event.json'],
  async run({ words }, context) {
    const [event = '', plugin = 'holdfast'] = words
    try {
      const load = Object.hasOwn(hooks, event) ? hooks[event] : undefined
      const input = load === undefined ? undefined : parseHookInput(await readAll(context), plugin)
      const reply = input && (await (await load?.())?.(input, context))
      if (reply instanceof Wake) {
        context.output.tell(reply.text)
        return WAKES
      }
      if (reply !== undefined) context.output.writeJson(reply)
    } catch (error) {
      // No session fails because of us.
      await logQuietly(`${event}: ${messageOf(error)}`, context)
      // But where we were asked for a worktree, there is none: it says why.
      if (event === 'WorktreeCreate') {
        context.output.tell(`Holdfast: ${messageOf(error)}`)
        if (error instanceof AppError && error.hint !== undefined) {
          context.output.tell(`  ${error.hint}`)
        }
        return exitCodes.taskFailed
      }
    }
    return exitCodes.done
  },
})

async function readAll({ stdin }: CommandContext): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function logQuietly(line: string, { holdfast }: CommandContext): Promise<void> {
  try {
    await (await holdfast.pluginFiles()).log(line)
  } catch {
    // Where it cannot be written, nobody would read it either.
  }
}
