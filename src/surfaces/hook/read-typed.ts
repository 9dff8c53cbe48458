/**
 * What is typed after a command of the plugins that is answered at once: what a terminal takes, and two
 * things besides that users of the Codex plugin are used to.
 */
import { AppError } from '../../domain/errors.ts'
import { isSameCaller } from '../caller.ts'
import type { Command, CommandContext, CommandInput } from '../cli/command.ts'
import { parseCount, parseInput } from '../cli/flags.ts'
import { listOpen } from '../end-tasks.ts'
import { requireTasks } from '../find-task.ts'
import { waitForTasks } from '../wait-for.ts'

const waiting = {
  wait: { about: 'stay until it has ended' },
  timeoutMs: { about: 'no longer than this', value: 'MS' },
  pollIntervalMs: { about: 'looked at anyway as often as it matters', value: 'MS' },
} as const

export async function readTyped(
  command: Command,
  words: readonly string[],
  context: CommandContext,
): Promise<CommandInput> {
  switch (command.name) {
    case 'status': {
      const input = parseInput({ ...command, flags: { ...command.flags, ...waiting } }, words)
      if (input.flags.wait === true) await stay(input, context)
      return input
    }
    case 'cancel': {
      const input = parseInput(command, words)
      const isNamed = input.words.length > 0 || input.flags.all === true
      return isNamed ? input : { ...input, words: [await findOwnOpen(context)] }
    }
    default:
      return parseInput(command, words)
  }
}

/** As the original. */
const WAIT_MS = 240_000
/** Claude Code ends a hook after ten minutes. */
const LONGEST_MS = 540_000

async function stay({ flags, words }: CommandInput, context: CommandContext): Promise<void> {
  const ms = typeof flags.timeoutMs === 'string' ? parseCount(flags.timeoutMs, 'timeout-ms') : 0
  if (words.length === 0) throw new AppError('bad_usage', 'status --wait needs a task by its name')
  const tasks = await requireTasks(await context.holdfast.store(), words)
  const ids = tasks.map(({ request }) => request.id)
  await waitForTasks(ids, { timeoutMs: Math.min(ms || WAIT_MS, LONGEST_MS) }, context)
}

/** The one task of this session that is under way. */
async function findOwnOpen({ holdfast, caller }: CommandContext): Promise<string> {
  const open = holdfast.isInUse() ? await listOpen(await holdfast.store()) : []
  const [only, another] = open.filter(({ request }) => isSameCaller(request.caller, caller))
  if (only !== undefined && another === undefined) return only.request.id
  const how = only === undefined ? 'nothing' : 'more than one task'
  throw new AppError('bad_usage', `${how} of this session is under way`, {
    hint: 'name what is to be cancelled: holdfast status lists all',
  })
}
