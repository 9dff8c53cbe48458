import { hasEnded } from '../../../domain/task.ts'
import { idOf, isUnreadable, requireTaskAnyhow } from '../../find-task.ts'
import { takeDiff, viewDiff } from '../../take-diff.ts'
import { defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { offerApply } from '../untaken.ts'

const usage = 'diff [TASK]'

export const diff = defineCommand({
  name: 'diff',
  group: 'Take',
  summary: 'What the agent changed, as a patch; while it runs, so far',
  usage,
  flags: { stat: { about: 'only the counts' }, ...jsonFlag },
  examples: ['holdfast diff fix-the-login', 'holdfast diff k3v9 | git apply --3way'],
  async run({ flags, words }, context) {
    const { output } = context
    const task = await requireTaskAnyhow(optionalWord(words, usage), context)
    const id = idOf(task)
    if (flags.json === true) {
      output.writeJson(await viewDiff(task, context))
      return exitCodes.done
    }
    const { patch, counts } = await takeDiff(task, context)
    if (flags.stat === true) {
      const { files, insertions, deletions } = counts
      output.write(`${files} files changed, ${insertions} insertions, ${deletions} deletions\n`)
      return exitCodes.done
    }
    const isOver = isUnreadable(task) || hasEnded(task.state)
    if (patch.length === 0) output.tell(`${id} changed nothing${isOver ? '' : ' yet'}`)
    else output.write(patch)
    if (!isUnreadable(task)) offerApply(task, output)
    return exitCodes.done
  },
})
