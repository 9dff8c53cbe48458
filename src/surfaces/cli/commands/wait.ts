import { AppError } from '../../../domain/errors.ts'
import type { Task } from '../../../domain/task.ts'
import { findAsked } from '../../../engine/answer.ts'
import { acknowledgeShown } from '../../acknowledge.ts'
import { requireTaskOrNewest, requireTasks } from '../../find-task.ts'
import { lookAtTasks, lookAtWorker } from '../../look.ts'
import { waitForTasks } from '../../wait-for.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodeOfState, signalExitCode, worstExitCode } from '../exit-codes.ts'
import { parseDuration } from '../flags.ts'
import { renderTaskLine } from '../render.ts'

export const wait = defineCommand({
  name: 'wait',
  group: 'Look',
  summary: 'Stay until tasks have ended; exits by the worst outcome',
  usage: 'wait [TASK|GROUP…]',
  flags: {
    timeout: { about: 'at most this long, then exit 3', value: 'DURATION' },
    any: { about: 'until the first of them has ended' },
    ...jsonFlag,
  },
  examples: ['holdfast wait fix-the-login', 'holdfast wait --any k3v9 m2x7 --timeout 30m'],
  async run({ flags, words }, context) {
    const { output } = context
    const timeoutMs =
      flags.timeout === undefined ? undefined : parseDuration(flags.timeout, 'timeout')
    const ids = (await named(words, context)).map(({ request }) => request.id)
    const any = flags.any === true
    const { tasks, end } = await waitForTasks(ids, { timeoutMs, any }, context)
    if (typeof end === 'object') {
      output.tell('interrupted; the tasks go on')
      return signalExitCode(end.interrupted)
    }
    const worker = await lookAtWorker(context)
    const views = await lookAtTasks(tasks, worker, context)
    if (flags.json === true) {
      output.writeJson({ tasks: views, worker })
    } else {
      const lines = views.map(view => renderTaskLine(view, context.now(), output))
      output.write(`${lines.join('\n')}\n`)
    }
    if (output.stdoutIsTerminal && flags.json !== true) output.tell(nextOf(tasks))
    await acknowledgeShown(tasks, context)
    const store = await context.holdfast.store()
    const codes: number[] = []
    for (const task of tasks) {
      const { name } = task.state
      // What was answered asks for nothing any more, though nobody may have passed it on.
      const isAnswered = name === 'needs_input' && (await findAsked(task, store)) === null
      codes.push(exitCodeOfState(isAnswered ? 'running' : name))
    }
    // Of those that have ended, the worst; that others go on is what was asked for.
    const ended = codes.filter(code => code !== exitCodeOfState('running'))
    return worstExitCode(any && ended.length > 0 ? ended : codes)
  },
})

/** For people: what is looked at when the wait is over. */
function nextOf(tasks: readonly Task[]): string {
  const [only, another] = tasks
  const what = only === undefined || another !== undefined ? 'TASK' : only.request.id
  return `next: holdfast result ${what} · holdfast diff ${what}`
}

async function named(words: readonly string[], context: CommandContext): Promise<readonly Task[]> {
  const [word] = words
  const isNewest = word === undefined || (word === '-' && words.length === 1)
  if (isNewest) return [await requireTaskOrNewest(undefined, context)]
  if (words.includes('-')) {
    throw new AppError('bad_usage', '- means the newest task, and stands alone')
  }
  return await requireTasks(await context.holdfast.store(), words)
}
