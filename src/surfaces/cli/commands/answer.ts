import { plainText } from '../../../domain/plain-text.ts'
import { describeOptions, requireQuestion } from '../../../engine/answer.ts'
import { requireTask } from '../../find-task.ts'
import { lookAtTask } from '../../look.ts'
import { passAnswer, requireSameQuestion } from '../../pass-answer.ts'
import { defineCommand, jsonFlag, refuseWords, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

const usage = 'answer TASK [ANSWER]'

export const answer = defineCommand({
  name: 'answer',
  group: 'Do',
  summary: 'Answer what a task’s agent asks; without an answer, show the question',
  usage,
  flags: {
    question: {
      about: 'only if it is this one that is asked (`question.id` of status --json)',
      value: 'ID',
    },
    ...jsonFlag,
  },
  examples: ['holdfast answer fix-the-login', 'holdfast answer fix-the-login 1'],
  async run({ flags, words }, context) {
    const { holdfast, output } = context
    const reference = requireWord(words.slice(0, 1), 'TASK', usage)
    const [said, ...more] = words.slice(1)
    refuseWords(more, usage)
    const task = await requireTask(await holdfast.store(), reference)
    const { id, name } = task.request
    if (flags.question !== undefined) requireSameQuestion(task, flags.question)
    if (said === undefined) {
      const { text, options } = requireQuestion(task)
      if (flags.json === true) output.writeJson(await lookAtTask(task, context))
      else output.write(`${plainText(text)}\n`)
      if (options.length > 0) output.tell(plainText(describeOptions(options)))
      output.tell(`next: holdfast answer ${id} ${options.length > 0 ? '1' : '"…"'}`)
      return exitCodes.done
    }
    const answered = await passAnswer(task, said, context)
    if (flags.json === true) output.writeJson(await lookAtTask(answered, context))
    output.tell(`${name}: answered · next: holdfast logs -f ${id}`)
    return exitCodes.done
  },
})
