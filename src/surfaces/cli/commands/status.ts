import { AppError } from '../../../domain/errors.ts'
import { activeStates, type Task } from '../../../domain/task.ts'
import type { Store } from '../../../ports/store.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { requireTask } from '../find-task.ts'
import { lookAtTask, lookAtTasks, lookAtWorker } from '../look.ts'
import { renderTask, renderTaskLine } from '../render.ts'

/** What has ended is shown for a day, the newest twenty. */
const ENDED_FOR_MS = 24 * 3_600_000
const ENDED_COUNT = 20

export const status = defineCommand({
  name: 'status',
  aliases: ['ls'],
  group: 'Look',
  summary: 'What needs you, what is under way, what has ended',
  usage: 'status [TASK]',
  flags: {
    all: { about: 'every task' },
    active: { about: 'only what has not ended' },
    agent: { about: 'only tasks of this agent', value: 'AGENT' },
    ...jsonFlag,
  },
  examples: ['holdfast status', 'holdfast status fix-the-login', 'holdfast status --all --json'],
  async run({ flags, words }, context) {
    const { output, holdfast } = context
    const store = await holdfast.store()
    const [reference, extra] = words
    if (extra !== undefined) throw new AppError('bad_usage', `unexpected "${extra}"`)
    if (reference !== undefined) {
      const view = await lookAtTask(await requireTask(store, reference), context)
      if (flags.json === true) output.writeJson(view)
      else output.write(`${renderTask(view, context.now(), output)}\n`)
      return 0
    }
    const worker = await lookAtWorker(context)
    const chosen = (await selectTasks(store, flags, context)).filter(
      ({ request }) => flags.agent === undefined || request.agent === flags.agent,
    )
    const tasks = await lookAtTasks(chosen, worker, context)
    if (flags.json === true) {
      output.writeJson({ tasks, worker })
      return 0
    }
    if (tasks.length === 0) {
      output.tell('no tasks. Hand one in: holdfast run "fix the failing test"')
      return 0
    }
    const lines = tasks.map(task => renderTaskLine(task, context.now(), output))
    output.write(`${lines.join('\n')}\n`)
    if (output.stdoutIsTerminal) output.tell('next: holdfast status ID · holdfast result ID')
    return 0
  },
})

/** By default: what needs somebody, what is under way, then the newest that have ended. */
async function selectTasks(
  store: Store,
  flags: { all?: true; active?: true },
  context: CommandContext,
): Promise<readonly Task[]> {
  if (flags.all === true) return await store.listTasks({})
  const open = await store.listTasks({ states: [...activeStates, 'queued', 'waiting'] })
  const byNeed = [...open].sort((a, b) => needRank(a) - needRank(b))
  if (flags.active === true) return byNeed
  const ended = await store.listTasks({
    endedSince: context.now() - ENDED_FOR_MS,
    limit: ENDED_COUNT,
  })
  return [...byNeed, ...ended]
}

const needRank = ({ state }: Task) => (state.name === 'needs_input' ? 0 : 1)
