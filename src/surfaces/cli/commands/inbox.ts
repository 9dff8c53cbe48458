import { AppError } from '../../../domain/errors.ts'
import {
  acknowledgeEntries,
  acknowledgeNamed,
  type Entry,
  listInbox,
  viewEntry,
} from '../../read-inbox.ts'
import type { InboxView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { describeAge } from '../render.ts'

/** For people; in JSON there are all. */
const MOST_SHOWN = 50

const usage = 'inbox [--mine] | inbox --ack TASK… | inbox --ack-all [--mine]'

export const inbox = defineCommand({
  name: 'inbox',
  group: 'Look',
  summary: 'What has ended, or asks something, and nobody has taken note of',
  usage,
  flags: {
    mine: { about: 'only what this caller asked for: its Claude session, terminal or task' },
    ack: { about: 'take note of these: tasks, or ids of deliveries' },
    ackAll: { about: 'take note of all that is listed' },
    ...jsonFlag,
  },
  examples: [
    'holdfast inbox',
    'holdfast inbox --mine --json',
    'holdfast inbox --ack fix-the-login',
    'holdfast inbox --ack-all',
  ],
  async run({ flags, words }, context) {
    if (flags.ack === true) {
      refuseBesideAck(words, flags)
      return tellCount(await acknowledgeNamed(words, context), flags, context)
    }
    refuseWords(words, usage)
    const { output } = context
    const entries = await listInbox(flags.mine === true, context)
    if (flags.ackAll === true) {
      return tellCount(await acknowledgeEntries(entries, context), flags, context)
    }
    if (flags.json === true) {
      output.writeJson({ deliveries: entries.map(viewEntry) } satisfies InboxView)
      return exitCodes.done
    }
    if (entries.length === 0) output.tell('nothing: all that has ended was taken note of')
    else output.write(`${renderEntries(entries, context).join('\n')}\n`)
    if (entries.length > 0 && output.stdoutIsTerminal) {
      output.tell('next: holdfast result ID · holdfast inbox --ack ID · holdfast inbox --ack-all')
    }
    return exitCodes.done
  },
})

function refuseBesideAck(
  words: readonly string[],
  flags: { readonly mine?: true; readonly ackAll?: true },
): void {
  if (words.length > 0 && flags.ackAll !== true && flags.mine !== true) return
  throw new AppError('bad_usage', '--ack needs tasks, and stands alone', {
    hint: 'all that is listed: holdfast inbox --ack-all',
  })
}

function tellCount(
  acknowledged: number,
  flags: { readonly json?: true },
  { output }: CommandContext,
): number {
  if (flags.json === true) output.writeJson({ acknowledged })
  else output.write(`${acknowledged} taken note of\n`)
  return exitCodes.done
}

function renderEntries(entries: readonly Entry[], context: CommandContext): readonly string[] {
  const lines = entries.slice(0, MOST_SHOWN).map(entry => renderEntry(entry, context))
  const more = entries.length - lines.length
  return more === 0 ? lines : [...lines, `and ${more} older: holdfast inbox --json`]
}

function renderEntry({ delivery, task }: Entry, { output, now }: CommandContext): string {
  const { request } = task
  const age = describeAge(now() - delivery.createdAt)
  const event = delivery.event.padEnd(11)
  const colour = delivery.event === 'failed' ? 'red' : 'bold'
  return `${request.id}  ${output.style(colour, event)}  ${age.padStart(4)} ago  ${request.name}`
}
