import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../../domain/errors.ts'
import { requireTaskOrNewest } from '../../find-task.ts'
import { lookAround, type Selection } from '../../look-around.ts'
import { isTerminal } from '../../terminal.ts'
import { type CommandContext, defineCommand, optionalWord } from '../command.ts'
import { signalExitCode } from '../exit-codes.ts'

const usage = 'watch [TASK]'

export const watch = defineCommand({
  name: 'watch',
  group: 'Look',
  summary: 'A live board of all tasks; or one of them, with a line to answer and say more',
  usage,
  flags: {
    agent: { about: 'only tasks of this agent', value: 'AGENT' },
    caller: {
      about:
        'only what they asked for: terminal, claude, mcp, task or program, or one of them by its id',
      value: 'KIND[:ID]',
    },
    json: { about: 'print what status --json prints, a line each time that it changes' },
  },
  examples: ['holdfast watch', 'holdfast watch fix-the-login', 'holdfast watch --json'],
  async run({ flags, words }, context) {
    const reference = optionalWord(words, usage)
    const selection = { agent: flags.agent, caller: flags.caller }
    if (flags.json === true) {
      if (reference === undefined) return await printChanges(selection, context)
      throw new AppError('bad_usage', 'of one task, watch prints no JSON', {
        hint: `holdfast logs -f ${reference} --json`,
      })
    }
    if (!isTerminal(0) || !isTerminal(1)) {
      throw new AppError('bad_usage', 'watch is for a terminal, and this is none', {
        hint: 'holdfast status --json, or holdfast logs -f TASK',
      })
    }
    if (context.environment.TERM === 'dumb') {
      throw new AppError(
        'bad_usage',
        'watch draws on the screen, which this terminal (dumb) cannot',
        {
          hint: 'holdfast status, or holdfast logs -f TASK',
        },
      )
    }
    const one = reference === undefined ? null : await requireTaskOrNewest(reference, context)
    const { watchTasks } = await import('../watch/watch-tasks.ts')
    return await watchTasks(one?.request.id ?? null, selection, context)
  },
})

/** Tasks under way write all the time. */
const PRINT_EVERY_MS = 1_000

async function printChanges(selection: Selection, context: CommandContext): Promise<number> {
  const { output, interrupted } = context
  for (let before = ''; !interrupted.aborted; ) {
    const view = await lookAround(selection, context)
    // The moment of a look is no change.
    const now = JSON.stringify(view.tasks.map(task => ({ ...task, stateAsOf: null })))
    if (now !== before) output.writeJson(view)
    before = now
    await sleep(PRINT_EVERY_MS, undefined, { signal: interrupted }).catch(() => undefined)
  }
  return signalExitCode(Number(interrupted.reason))
}
