import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TaskEvent } from '../../../domain/agent-events.ts'
import type { Task } from '../../../domain/task.ts'
import { viewEvent } from '../../make-view.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { requireTaskOrNewest } from '../find-task.ts'
import { parseCount } from '../flags.ts'
import { lookAtTask } from '../look.ts'
import { renderEvent } from '../render.ts'
import { waitForTasks } from '../wait-for.ts'

const DEFAULT_LINES = 50

export const logs = defineCommand({
  name: 'logs',
  group: 'Look',
  summary: 'What the agent did, and what became of the task',
  usage: 'logs [TASK]',
  flags: {
    lines: { about: `the last N events (default ${DEFAULT_LINES})`, value: 'N', short: 'n' },
    follow: { about: 'go on until the task has ended', short: 'f' },
    since: { about: 'only events after this sequence number', value: 'SEQ' },
    raw: { about: 'the agent’s own output, byte for byte' },
    ...jsonFlag,
  },
  examples: ['holdfast logs -f', 'holdfast logs fix-the-login -n 200', 'holdfast logs k3v9 --raw'],
  async run({ flags, words }, context) {
    const task = await requireTaskOrNewest(words[0], context)
    if (flags.raw === true) return await printRaw(task, context)
    const store = await context.holdfast.store()
    const { id } = task.request
    const print = (events: readonly TaskEvent[]) =>
      printEvents(events, flags.json === true, context)

    const since = flags.since === undefined ? undefined : parseCount(flags.since, 'since')
    const lines = flags.lines === undefined ? DEFAULT_LINES : parseCount(flags.lines, 'lines')
    let last = since ?? 0
    if (since === undefined) {
      const events = await store.lastEvents(id, lines)
      await print(events)
      last = events.at(-1)?.seq ?? 0
    }
    if (flags.follow !== true) {
      if (since !== undefined) await print(await store.listEvents(id, since, lines))
      await tellWhyItWaits(task, context)
      return exitCodes.done
    }
    const { end } = await waitForTasks(
      [id],
      { onEvents: events => print(events.filter(({ seq }) => seq > last)) },
      context,
    )
    return typeof end === 'object' ? signalExitCode(end.interrupted) : exitCodes.done
  },
})

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

/** The stdout of each attempt, one after the other. */
async function printRaw(task: Task, { holdfast, output }: CommandContext): Promise<number> {
  const files = await holdfast.files()
  for (const { attempt } of await (await holdfast.store()).listAttempts(task.request.id)) {
    const file = join(files.runDirectory(attempt.task, attempt.fence), 'stdout')
    if (!existsSync(file)) continue
    for await (const chunk of createReadStream(file)) output.write(chunk as Buffer)
  }
  return exitCodes.done
}
