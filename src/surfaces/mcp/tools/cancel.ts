import * as z from 'zod/mini'
import { askForEnds, awaitEnds, findNamed } from '../../end-tasks.ts'
import { lookAtTasks, lookAtWorker } from '../../look.ts'
import { tasksView } from '../../view.ts'
import { describeTasks } from '../describe.ts'
import { defineTool, field, tasksField } from '../tool.ts'

const input = z.strictObject({
  tasks: tasksField,
  tree: z.optional(field(z.boolean(), 'also the tasks that these have delegated')),
})

export const cancel = defineTool({
  name: 'cancel',
  title: 'End tasks',
  description: 'Ends tasks, with every process that they started; their work so far is kept.',
  input,
  output: tasksView,
  effect: 'ends_work',
  async run({ tasks: names, tree }, { context }) {
    const tasks = await findNamed(names, await context.holdfast.store())
    const wish = { tree: tree ?? false, lost: false }
    const { going, refusals } = await askForEnds(tasks, wish, context)
    if (going.length === 0 && refusals[0] !== undefined) throw refusals[0]
    const ended = await awaitEnds(going, context)
    const worker = await lookAtWorker(context)
    const views = await lookAtTasks(ended.tasks, worker, context)
    const refused = refusals.map(({ message }) => `\n${message}`).join('')
    return {
      view: { tasks: [...views], worker },
      text: `${describeTasks(views, context.now())}${refused}`,
    }
  },
})
