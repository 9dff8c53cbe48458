import { reach } from '../../../domain/crash-points.ts'
import { AppError } from '../../../domain/errors.ts'
import type { TaskId } from '../../../domain/ids.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodeOfRefusal, exitCodes, signalExitCode } from '../exit-codes.ts'
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
    const named = new Map<TaskId, Task>()
    for (const word of words) {
      const task = await requireTask(store, word)
      named.set(task.request.id, task)
    }
    const going: TaskId[] = []
    const refusals: AppError[] = []
    for (const task of named.values()) {
      if (await askForEnd(task, context)) going.push(task.request.id)
      else refusals.push(hasEndedAlready(task))
    }
    const [refusal] = refusals
    if (refusal !== undefined && going.length === 0 && refusals.length === 1) throw refusal
    for (const { message, hint } of refusals) output.tell(`holdfast: ${message}\n  ${hint}`)

    // A task that was queued has ended with the asking: no worker is needed for it.
    if ((await store.countTasks(['cancelling'])) > 0) await ringOrTell(context)
    reach('cancel.rung')
    const { tasks, end } = await waitForTasks(going, { timeoutMs: LIMIT_MS }, context)
    const worker = await lookAtWorker(context)
    if (flags.json === true) {
      output.writeJson({ tasks: await lookAtTasks(tasks, worker, context), worker })
    } else {
      for (const { request, state } of tasks) {
        const result = 'result' in state ? state.result : null
        const delta = result === null ? '' : `, ${describeDelta(result)}`
        output.write(`${request.id} ${state.name}${delta}\n`)
      }
    }
    if (typeof end === 'object') return signalExitCode(end.interrupted)
    if (end === 'timeout') {
      for (const task of tasks) await tellWhyNotOver(task, context)
      return exitCodes.notFinished
    }
    return refusal === undefined ? exitCodes.done : exitCodeOfRefusal(refusal.code)
  },
})

/** What a cancelled task still waits for, as far as it can be seen. */
async function tellWhyNotOver(
  { request, state, worktree }: Task,
  { holdfast, output }: CommandContext,
): Promise<void> {
  if (state.name !== 'cancelling') return
  const files = await holdfast.files()
  const living = (await holdfast.host()).findProcesses({
    task: request.id,
    fence: state.fence,
    runDirectory: files.runDirectory(request.id, state.fence),
    worktree: worktree?.path ?? null,
  })
  const why =
    (await holdfast.presence()).look() === undefined
      ? 'no worker is up to end it'
      : living.length === 0
        ? 'its work is still being collected'
        : `still alive: ${living.map(({ pid, command }) => `${pid} ${command}`).join(', ')}`
  output.tell(`${request.id} is not over after ${LIMIT_MS / 1000} s: ${why}`)
  output.tell(
    `  it goes on by itself: holdfast wait ${request.id}; see ${holdfast.home}/worker.log`,
  )
}

/** False: it has already ended. */
async function askForEnd(task: Task, { holdfast, now }: CommandContext): Promise<boolean> {
  const store = await holdfast.store()
  const { id } = task.request
  const after = await store.transition(id, null, { kind: 'cancel_requested' }, now())
  reach('cancel.requested')
  if (after !== undefined && hasEnded(after.state)) {
    await (await holdfast.files()).forgetEnvironment(id)
    reach('cancel.environment-forgotten')
  }
  return after !== undefined
}

function hasEndedAlready({ request: { id }, state }: Task): AppError {
  const how = hasEnded(state) ? `: it is ${state.name}` : ''
  return new AppError('already_ended', `${id} has already ended${how}`, {
    hint: `holdfast result ${id}`,
  })
}
