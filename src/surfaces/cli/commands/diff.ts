import { hasEnded, type Task } from '../../../domain/task.ts'
import { findMembers, idOf, isUnreadable, requireTaskAnyhow } from '../../find-task.ts'
import { takeDiff, viewDiff } from '../../take-diff.ts'
import { type CommandContext, defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { offerApply } from '../untaken.ts'

const usage = 'diff [TASK|GROUP]'

export const diff = defineCommand({
  name: 'diff',
  group: 'Take',
  summary: 'What the agent changed, as a patch; of a group, the tasks side by side',
  usage,
  flags: { stat: { about: 'only the counts' }, ...jsonFlag },
  examples: ['holdfast diff fix-the-login', 'holdfast diff k3v9 | git apply --3way'],
  async run({ flags, words }, context) {
    const { output } = context
    const word = optionalWord(words, usage)
    const members =
      word === undefined ? undefined : await findMembers(await context.holdfast.store(), word)
    if (members !== undefined) return await compare(members, flags.json === true, context)
    const task = await requireTaskAnyhow(word, context)
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

async function compare(
  members: readonly Task[],
  isJson: boolean,
  context: CommandContext,
): Promise<number> {
  const { output } = context
  const { compareGroup } = await import('../../look-at-group.ts')
  const view = await compareGroup(members, context)
  if (isJson) {
    output.writeJson(view)
    return exitCodes.done
  }
  const { renderComparison } = await import('../render-group.ts')
  output.write(`${renderComparison(view, output)}\n`)
  if (view.picked.length === 0) {
    output.tell(`next: holdfast diff ${view.name}-… · holdfast pick ${view.name}-…`)
  }
  return exitCodes.done
}
