import { AppError } from '../../../domain/errors.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import type { ResultView } from '../../view.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { type CommandContext, defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { eventPages } from '../event-pages.ts'
import { exitCodes } from '../exit-codes.ts'
import { requireTaskOrNewest } from '../find-task.ts'
import { lookAtTask } from '../look.ts'
import { offerApply } from '../untaken.ts'

const usage = 'result [TASK]'

export const result = defineCommand({
  name: 'result',
  group: 'Take',
  summary: 'The agent’s final answer, verbatim',
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
    if (!hasEnded(state)) {
      throw new AppError('not_finished', `${id} has not ended yet: it is ${state.name}`, {
        hint: `holdfast wait ${id}`,
      })
    }
    if (state.name === 'failed') {
      output.tell(`${id} failed (${state.failure.code}): ${state.failure.message}`)
      if (state.failure.hint !== undefined) output.tell(`  ${state.failure.hint}`)
    }
    const answer = state.result?.answer ?? null
    if (answer === null) output.tell(`${id} ${state.name} without an answer`)
    else output.write(answer)
    if (output.stdoutIsTerminal && answer?.endsWith('\n') === false) output.tell('')
    offerApply(task, output)
    await acknowledgeShown([task], context)
    return exitCodes.done
  },
})

/** The answer and what speaks for it. */
async function gatherEvidence(task: Task, context: CommandContext): Promise<ResultView> {
  const store = await context.holdfast.store()
  const view = await lookAtTask(task, context)
  const commands: ResultView['commands'] = []
  const refused: ResultView['refused'] = []
  const timeline: ResultView['timeline'] = []
  for await (const page of eventPages(store, task.request.id, 0)) {
    for (const { at, body } of page) {
      if (body.kind === 'command_ended') {
        commands.push({ command: body.command, exitCode: body.exitCode })
      } else if (body.kind === 'action_refused') {
        refused.push({ action: body.action, why: body.why })
      } else if ('text' in body && /^(?:task|attempt)_/.test(body.kind)) {
        timeline.push({ at: new Date(at).toISOString(), text: body.text })
      }
    }
  }
  const delta = view.result
  return {
    task: view,
    answer: delta?.answer ?? null,
    commit: delta?.commit ?? null,
    files: delta?.files ?? 0,
    insertions: delta?.insertions ?? 0,
    deletions: delta?.deletions ?? 0,
    leftOut: delta?.leftOut ?? [],
    commands,
    refused,
    usage: view.usage,
    timeline,
    ended: view.endedAt === null ? null : (view.reason ?? view.state),
  }
}
