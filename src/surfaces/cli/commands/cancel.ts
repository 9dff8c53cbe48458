import { AppError } from '../../../domain/errors.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { requireTask } from '../find-task.ts'
import { lookAtTasks, lookAtWorker, ringOrTell } from '../look.ts'
import { describeDelta } from '../render.ts'
import { waitForTasks } from '../wait-for.ts'

/** An agent is given 2 s to end in order, then it is made to; the work so far is collected. */
const LIMIT_MS = 30_000

export const cancel = defineCommand({
  name: 'cancel',
  group: 'Do',
  summary: 'End a task, with every process that it started; its work so far is kept',
  usage: 'cancel TASK…',
  flags: jsonFlag,
  examples: ['holdfast cancel fix-the-login', 'holdfast cancel k3v9 m2x7'],
  async run({ flags, words }, context) {
    const { output, holdfast } = context
    if (words.length === 0) {
      throw new AppError('bad_usage', 'cancel needs a task by its name', {
        hint: 'holdfast status lists what is under way',
      })
    }
    const store = await holdfast.store()
    const named: Task[] = []
    for (const word of words) named.push(await requireTask(store, word))
    const asked: Task[] = []
    for (const task of named) asked.push(await askForEnd(task, context))
    if (asked.some(({ state }) => !hasEnded(state))) await ringOrTell(context)

    const ids = asked.map(({ request }) => request.id)
    const { tasks, end } = await waitForTasks(ids, { timeoutMs: LIMIT_MS }, context)
    const worker = await lookAtWorker(context)
    if (flags.json === true) {
      output.writeJson({ tasks: await lookAtTasks(tasks, worker, context), worker })
    } else {
      for (const { request, state } of tasks) {
        const delta = 'result' in state && state.result !== null ? describeDelta(state.result) : ''
        output.write(`${request.id} ${state.name}${delta === '' ? '' : `, ${delta}`}\n`)
      }
    }
    if (typeof end === 'object') return signalExitCode(end.interrupted)
    return end === 'timeout' ? exitCodes.notFinished : exitCodes.done
  },
})

async function askForEnd(task: Task, { holdfast, now }: CommandContext): Promise<Task> {
  const store = await holdfast.store()
  const { id } = task.request
  const after = await store.transition(id, null, { kind: 'cancel_requested' }, now())
  if (after === undefined) {
    throw new AppError('already_ended', `${id} has already ended: it is ${task.state.name}`, {
      hint: `holdfast result ${id}`,
    })
  }
  if (hasEnded(after.state)) await (await holdfast.files()).forgetEnvironment(id)
  return after
}
