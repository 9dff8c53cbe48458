import { AppError } from '../../../domain/errors.ts'
import { resultOf, type Task } from '../../../domain/task.ts'
import { askForEnds, awaitEnds, END_LIMIT_MS, findNamed, listOpen } from '../../end-tasks.ts'
import { lookAtTasks, lookAtWorker } from '../../look.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodeOfRefusal, exitCodes, signalExitCode } from '../exit-codes.ts'
import { describeDelta } from '../render.ts'

export const cancel = defineCommand({
  name: 'cancel',
  group: 'Do',
  summary: 'End a task, with every process that it started; its work so far is kept',
  usage: 'cancel TASK|GROUP… | cancel --all',
  flags: {
    all: { about: 'every task that has not ended' },
    tree: { about: 'also the tasks that these have delegated' },
    lost: {
      about: 'their processes are gone: said of a machine or container that no longer is',
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast cancel fix-the-login',
    'holdfast cancel k3v9 m2x7',
    'holdfast cancel --tree k3v9',
  ],
  async run({ flags, words }, context) {
    const { output, holdfast } = context
    if ((words.length === 0) === (flags.all !== true)) {
      throw new AppError('bad_usage', 'cancel needs tasks by their names, or --all', {
        hint: 'holdfast status lists what is under way',
      })
    }
    const store = await holdfast.store()
    const tasks = flags.all === true ? await listOpen(store) : await findNamed(words, store)
    const wish = { tree: flags.tree === true, lost: flags.lost === true }
    const { going, refusals } = await askForEnds(tasks, wish, context)
    if (going.length === 0 && refusals.length === 0) output.tell('nothing is under way')
    const [refusal] = refusals
    if (refusal !== undefined && going.length === 0 && refusals.length === 1) throw refusal
    for (const { message, hint } of refusals) output.tell(`holdfast: ${message}\n  ${hint}`)

    const { tasks: ended, end } = await awaitEnds(going, context)
    const worker = await lookAtWorker(context)
    if (flags.json === true) {
      const views = await lookAtTasks(ended, worker, context)
      output.writeJson({ tasks: views, worker })
    } else {
      for (const { request, state } of ended) {
        const result = resultOf(state)
        const delta = result === null ? '' : `, ${describeDelta(result)}`
        output.write(`${request.id} ${state.name}${delta}\n`)
      }
    }
    if (typeof end === 'object') return signalExitCode(end.interrupted)
    if (end === 'timeout') {
      for (const task of ended) await tellWhyNotOver(task, context)
      return exitCodes.notFinished
    }
    if (output.stdoutIsTerminal && flags.json !== true && ended.length > 0) {
      const what = ended.length > 1 ? 'TASK' : ended[0]?.request.id
      const hasChanges = ended.some(({ state }) => (resultOf(state)?.files ?? 0) > 0)
      const diff = hasChanges ? `holdfast diff ${what} · ` : ''
      output.tell(`next: ${diff}holdfast retry ${what}`)
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
    worktree: worktree?.kind === 'borrowed' ? null : (worktree?.path ?? null),
  })
  const why =
    (await holdfast.presence()).look() === undefined
      ? 'no worker is up to end it'
      : living.length === 0
        ? 'its work is still being collected'
        : `still alive: ${living.map(({ pid, command }) => `${pid} ${command}`).join(', ')}`
  output.tell(`${request.id} is not over after ${END_LIMIT_MS / 1000} s: ${why}`)
  output.tell(
    `  it goes on by itself: holdfast wait ${request.id}; see ${holdfast.home}/worker.log`,
  )
}
