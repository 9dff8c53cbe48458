import * as z from 'zod/mini'
import { requireTask } from '../../find-task.ts'
import { lookAtTask } from '../../look.ts'
import { passAnswer, requireSameQuestion } from '../../pass-answer.ts'
import { taskView } from '../../view.ts'
import { defineTool, field, taskField } from '../tool.ts'

const input = z.strictObject({
  task: taskField,
  answer: field(
    z.string(),
    'the number, id or label of an option; or, where there are none, anything',
  ),
  question: z.optional(field(z.string(), 'only if it is the question of this id that is asked')),
})

export const answer = defineTool({
  name: 'answer',
  title: 'Answer what a task asks',
  description:
    'Answers what the agent of a task asks (state needs_input). Ask your user first unless they have said how to answer.',
  input,
  output: taskView,
  effect: 'sets_to_work',
  async run(given, { context }) {
    const task = await requireTask(await context.holdfast.store(), given.task)
    if (given.question !== undefined) requireSameQuestion(task, given.question)
    const answered = await passAnswer(task, given.answer, context)
    return { view: await lookAtTask(answered, context), text: `${task.request.id}: answered` }
  },
})
