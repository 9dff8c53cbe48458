import type { TaskEvent } from '../../../domain/agent-events.ts'
import { AppError } from '../../../domain/errors.ts'
import type { TaskId } from '../../../domain/ids.ts'
import type { Task } from '../../../domain/task.ts'
import { eventPages } from '../../event-pages.ts'
import { idOf, isUnreadable, requireTaskAnyhow } from '../../find-task.ts'
import { lookAtTask } from '../../look.ts'
import { viewEvent } from '../../make-view.ts'
import { waitForTasks } from '../../wait-for.ts'
import { type CommandContext, defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { parseCount } from '../flags.ts'
import { renderEvent } from '../render.ts'
import { readConversation } from '../show-conversation.ts'

const usage = 'logs [TASK]'
const DEFAULT_LINES = 50

export const logs = defineCommand({
  name: 'logs',
  group: 'Look',
  summary: 'What the agent did, and what became of the task',
  usage,
  flags: {
    lines: { about: `the last N events (default ${DEFAULT_LINES})`, value: 'N', short: 'n' },
    follow: { about: 'go on until the task has ended', short: 'f' },
    since: { about: 'only events after this sequence number (all, or the first N)', value: 'SEQ' },
    only: { about: 'of a task that follows others, its own part alone' },
    raw: { about: 'the agent’s own output, byte for byte' },
    ...jsonFlag,
  },
  examples: ['holdfast logs -f', 'holdfast logs fix-the-login -n 200', 'holdfast logs k3v9 --raw'],
  async run({ flags, words }, context) {
    const task = await requireTaskAnyhow(optionalWord(words, usage), context)
    const id = idOf(task)
    const follow = flags.follow === true
    if (flags.raw === true) {
      refuseBesideRaw(flags)
      return await printRaw(id, follow, context)
    }
    const store = await context.holdfast.store()
    const print = (events: readonly TaskEvent[]) =>
      printEvents(events, flags.json === true, context)

    const since = flags.since === undefined ? undefined : parseCount(flags.since, 'since')
    const lines = flags.lines === undefined ? undefined : parseCount(flags.lines, 'lines')
    let last = since ?? 0
    // Sequence numbers are a task's own: what programs read is one task's.
    const isOne = flags.only === true || flags.json === true
    if (since === undefined && (isOne || isUnreadable(task))) {
      const events = await store.lastEvents(id, lines ?? DEFAULT_LINES)
      await print(events)
      last = events.at(-1)?.seq ?? 0
    } else if (since === undefined && !isUnreadable(task)) {
      for (const { heading, events } of await readConversation(
        task,
        lines ?? DEFAULT_LINES,
        context,
      )) {
        if (heading !== null) context.output.write(`${heading.join('\n')}\n`)
        await print(events)
        last = events.at(-1)?.seq ?? 0
      }
    } else if (since !== undefined && lines !== undefined) {
      const events = await store.listEvents(id, since, lines)
      await print(events)
      last = events.at(-1)?.seq ?? since
    }
    if (follow) {
      const { end } = await waitForTasks([id], { onEvents: print, after: last }, context)
      return typeof end === 'object' ? signalExitCode(end.interrupted) : exitCodes.done
    }
    if (since !== undefined && lines === undefined) {
      for await (const page of eventPages(store, id, since)) await print(page)
    }
    if (!isUnreadable(task)) await tellWhyItWaits(task, context)
    return exitCodes.done
  },
})

/** Bytes have no numbers, and are no JSON. */
function refuseBesideRaw(flags: Readonly<Record<string, string | true | undefined>>): void {
  const other = ['lines', 'since', 'json', 'only'].find(name => flags[name] !== undefined)
  if (other === undefined) return
  throw new AppError(
    'bad_usage',
    `--raw prints all of the agent’s output: it takes no --${other}`,
    {
      hint: `usage: holdfast ${usage}, with --raw alone or with -f`,
    },
  )
}

async function printEvents(
  events: readonly TaskEvent[],
  json: boolean,
  { output }: CommandContext,
): Promise<void> {
  const lines = events.flatMap(event => {
    const line = json ? JSON.stringify(viewEvent(event)) : renderEvent(event, output)
    return line === null ? [] : [line]
  })
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}

/** A task that does not run has no agent to speak for it. */
async function tellWhyItWaits(task: Task, context: CommandContext): Promise<void> {
  if (task.state.name !== 'queued' && task.state.name !== 'waiting') return
  const { state, reason, waitingUntil } = await lookAtTask(task, context)
  const until = waitingUntil === null ? '' : ` until ${waitingUntil}`
  context.output.tell(`${state}${until}: ${reason}`)
}

/** The stdout of each attempt, one after the other: none starts before the one before it is over. */
async function printRaw(id: TaskId, follow: boolean, context: CommandContext): Promise<number> {
  const { holdfast, output } = context
  const store = await holdfast.store()
  const files = await holdfast.files()
  const raw = await holdfast.rawOutput()
  const interrupted = follow ? context.interrupted : undefined
  const printed = new Map<string, number>()
  const dropped: number[] = []
  const printNew = async () => {
    for (const { attempt } of await store.listAttempts(id)) {
      const directory = files.runDirectory(id, attempt.fence)
      let from = printed.get(directory) ?? 0
      for await (const chunk of raw.read(directory, from)) {
        output.write(chunk)
        from += chunk.length
        printed.set(directory, from)
        if (interrupted?.aborted) return
      }
      if (raw.look(directory).isDropped) dropped.push(attempt.fence)
    }
  }
  if (!follow) {
    await printNew()
    if (dropped.length > 0) {
      const tries = dropped.length === 1 ? `try ${dropped[0]}` : `tries ${dropped.join(', ')}`
      output.tell(`holdfast: the output of ${tries} was dropped, 30 days after the task had ended`)
      output.tell(`  what it came to is kept: holdfast logs ${id} --since 0`)
    }
    return exitCodes.done
  }
  const { end } = await waitForTasks([id], { onLook: printNew }, context)
  return typeof end === 'object' ? signalExitCode(end.interrupted) : exitCodes.done
}
