import { type Delivery, makeNotice } from '../../../domain/delivery.ts'
import { AppError } from '../../../domain/errors.ts'
import type { Task } from '../../../domain/task.ts'
import { isRowTrouble } from '../../../engine/trouble.ts'
import type { Store } from '../../../ports/store.ts'
import { detectCaller, isSameCaller } from '../../caller.ts'
import { viewCaller } from '../../make-view.ts'
import type { InboxView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { requireTask } from '../find-task.ts'
import { describeAge } from '../render.ts'
import { requireWritableStore } from '../writable-store.ts'

/** For people; in JSON there are all. */
const MOST_SHOWN = 50

const usage = 'inbox [--mine] | inbox --ack TASK… | inbox --ack-all [--mine]'

/** One entry, and the task that it tells of. */
interface Entry {
  readonly delivery: Delivery
  readonly task: Task
}

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
    if (flags.ack === true) return await acknowledgeNamed(words, flags, context)
    refuseWords(words, usage)
    const { output, now } = context
    const entries = await listEntries(flags.mine === true, context)
    if (flags.ackAll === true) {
      const store = await requireWritableStore(context)
      return tellCount(await store.acknowledge(idsOf(entries), now()), flags, context)
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

async function listEntries(mine: boolean, context: CommandContext): Promise<readonly Entry[]> {
  const { environment, directory, output } = context
  const store = await context.holdfast.store()
  const entries: Entry[] = []
  for (const delivery of await store.listInbox({})) {
    const task = await findReadable(store, delivery)
    if (task === undefined) output.tell(`holdfast: the row of ${delivery.task} is damaged`)
    else entries.push({ delivery, task })
  }
  if (!mine) return entries
  const caller = detectCaller(environment, directory)
  if (caller.id === null) {
    throw new AppError('bad_usage', `--mine: nothing tells this ${caller.kind} from others`, {
      hint: 'holdfast inbox lists what all have asked for',
    })
  }
  return entries.filter(({ task }) => isSameCaller(task.request.caller, caller))
}

/** One damaged row may not hide the others. */
async function findReadable(store: Store, { task }: Delivery): Promise<Task | undefined> {
  try {
    return await store.findTask(task)
  } catch (error) {
    if (isRowTrouble(error)) return undefined
    throw error
  }
}

async function acknowledgeNamed(
  words: readonly string[],
  flags: { readonly mine?: true; readonly ackAll?: true; readonly json?: true },
  context: CommandContext,
): Promise<number> {
  if (words.length === 0 || flags.ackAll === true || flags.mine === true) {
    throw new AppError('bad_usage', '--ack needs tasks, and stands alone', {
      hint: 'all that is listed: holdfast inbox --ack-all',
    })
  }
  const store = await requireWritableStore(context)
  const all = await store.listInbox({})
  const ids: string[] = []
  for (const word of words) {
    if (all.some(({ id }) => id === word)) ids.push(word)
    else {
      const { id } = (await requireTask(store, word)).request
      ids.push(...all.filter(({ task }) => task === id).map(delivery => delivery.id))
    }
  }
  return tellCount(await store.acknowledge(ids, context.now()), flags, context)
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

const idsOf = (entries: readonly Entry[]) => entries.map(({ delivery }) => delivery.id)

function viewEntry({ delivery, task }: Entry): InboxView['deliveries'][number] {
  const { id, event, at, task: about, command } = makeNotice(delivery, task)
  if (about === null) throw new Error('what is in the inbox is of a task')
  return {
    id,
    event,
    at: new Date(at).toISOString(),
    task: about,
    caller: viewCaller(task.request.caller),
    command,
  }
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
