import * as z from 'zod/mini'
import { requireTasks } from '../../find-task.ts'
import { lookAtDisk, lookAtTasks, lookAtWorker } from '../../look.ts'
import { lookAround } from '../../look-around.ts'
import { type StatusView, statusView } from '../../view.ts'
import { describeTasks } from '../describe.ts'
import { cwdField, defineTool, field, type ToolCall } from '../tool.ts'

const input = z.strictObject({
  tasks: z.optional(field(z.array(z.string()), 'only these: ids, beginnings of these, or names')),
  all: z.optional(
    field(z.boolean(), 'every task; else what is under way, and the newest that ended'),
  ),
  active: z.optional(field(z.boolean(), 'only what has not ended')),
  agent: z.optional(field(z.string(), 'only tasks of this agent')),
  cwd: cwdField,
})

export const status = defineTool({
  name: 'status',
  title: 'Look at tasks',
  description:
    'What needs somebody, what is under way and why it waits, what has ended; of any session. Does not wait.',
  input,
  output: statusView,
  effect: 'none',
  async run(given, { context }) {
    const view =
      given.tasks === undefined
        ? await lookAround(given, context)
        : await lookAtNamed(given.tasks, context)
    const text = view.tasks.length === 0 ? 'no tasks' : describeTasks(view.tasks, context.now())
    return { view, text }
  },
})

async function lookAtNamed(
  names: readonly string[],
  context: ToolCall['context'],
): Promise<StatusView> {
  const store = await context.holdfast.store()
  const tasks = await requireTasks(store, names)
  const worker = await lookAtWorker(context)
  const views = await lookAtTasks(tasks, worker, context)
  return { tasks: [...views], unreadable: [], worker, disk: await lookAtDisk(context) }
}
