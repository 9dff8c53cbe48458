/**
 * What a person types after a command of the plugins that is answered at once: what a terminal takes,
 * and two things besides that users of the Codex plugin are used to.
 */
import { AppError } from '../../domain/errors.ts'
import type { Caller } from '../../domain/task.ts'
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
      if (input.flags.wait === true) await waitFirst(input, context)
      else if (input.flags.timeoutMs !== undefined) {
        throw new AppError('bad_usage', '--timeout-ms is how long to --wait')
      }
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

async function waitFirst({ flags, words }: CommandInput, context: CommandContext): Promise<void> {
  const { timeoutMs } = flags
  const ms = typeof timeoutMs === 'string' ? parseCount(timeoutMs, 'timeout-ms') : WAIT_MS
  if (words.length !== 1)
    throw new AppError('bad_usage', 'status --wait needs one task, by its name')
  const tasks = await requireTasks(await context.holdfast.store(), words)
  const ids = tasks.map(({ request }) => request.id)
  await waitForTasks(ids, { timeoutMs: Math.min(ms, LONGEST_MS) }, context)
}

/** The one task that is under way of this session, be it by a command or over MCP. */
async function findOwnOpen({ holdfast, caller }: CommandContext): Promise<string> {
  const open = holdfast.isInUse() ? await listOpen(await holdfast.store()) : []
  const isOverMcp = ({ kind, id }: Caller) => kind === 'mcp' && id?.endsWith(`:${caller.id}`)
  const [only, another] = open.filter(
    ({ request }) => isSameCaller(request.caller, caller) || isOverMcp(request.caller),
  )
  if (only !== undefined && another === undefined) return only.request.id
  const how = only === undefined ? 'nothing' : 'more than one task'
  throw new AppError('bad_usage', `${how} of this session is under way`, {
    hint: 'name what is to be cancelled: holdfast status lists all',
  })
}
