import { hasEnded } from '../../../domain/task.ts'
import { acknowledgeShown } from '../../acknowledge.ts'
import { requireTaskOrNewest } from '../../find-task.ts'
import { gatherEvidence, notFinished } from '../../gather-evidence.ts'
import { defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { tellFailure } from '../tell-failure.ts'
import { offerApply } from '../untaken.ts'

const usage = 'result [TASK]'

export const result = defineCommand({
  name: 'result',
  group: 'Take',
  summary: 'The agent’s final answer, verbatim; of a review, what it found',
  usage,
  flags: jsonFlag,
  examples: ['holdfast result fix-the-login', 'holdfast result --json k3v9 | jq .commands'],
  async run({ flags, words }, context) {
    const { output } = context
    const task = await requireTaskOrNewest(optionalWord(words, usage), context)
    if (flags.json === true) {
      output.writeJson(await gatherEvidence(task, context))
      if (hasEnded(task.state)) await acknowledgeShown([task], context)
      return hasEnded(task.state) ? exitCodes.done : exitCodes.notFinished
    }
    const { id } = task.request
    const { state } = task
    if (!hasEnded(state)) throw notFinished(task)
    if (state.name === 'failed') tellFailure(id, state.failure, output)
    const answer = state.result?.answer ?? null
    if (task.request.review !== null) {
      const { showReview } = await import('../show-review.ts')
      await showReview(task, context)
      return exitCodes.done
    }
    if (answer === null && task.request.opened !== null) {
      output.tell(`${id} was driven at a terminal: there is no answer of its agent's`)
    } else if (answer === null) output.tell(`${id} ${state.name} without an answer`)
    else output.write(answer)
    if (output.stdoutIsTerminal && answer?.endsWith('\n') === false) output.tell('')
    const { unheard } = task.messages
    if (unheard > 0) {
      output.tell(`${id} has not heard ${unheard === 1 ? '1 message' : `${unheard} messages`}`)
      output.tell(`  whoever goes on with it is told: holdfast send ${id} "…"`)
    }
    offerApply(task, output)
    await acknowledgeShown([task], context)
    return exitCodes.done
  },
})
