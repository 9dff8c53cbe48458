import * as z from 'zod/mini'
import { requireTask } from '../../find-task.ts'
import { requireResult } from '../../gather-evidence.ts'
import { resultView } from '../../view.ts'
import { describeEnd } from '../describe.ts'
import { defineTool, taskField } from '../tool.ts'

export const result = defineTool({
  name: 'result',
  title: 'The answer of a task',
  description:
    'The final answer of a task that has ended, verbatim, with what speaks for it: commands, refused actions, usage, timeline.',
  input: z.strictObject({ task: taskField }),
  output: resultView,
  effect: 'none',
  async run(given, { context }) {
    const task = await requireTask(await context.holdfast.store(), given.task)
    const view = await requireResult(task, context)
    return { view, text: describeEnd(view.task) }
  },
})
