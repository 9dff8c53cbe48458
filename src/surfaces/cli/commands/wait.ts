import { AppError } from '../../../domain/errors.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
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
    const store = await context.holdfast.store()
    const asking: Task[] = []
    for (const task of tasks) if ((await findAsked(task, store)) !== null) asking.push(task)
    if (output.stdoutIsTerminal && flags.json !== true) {
      const next = nextOf(tasks, asking)
      if (next !== null) output.tell(next)
    }
    await acknowledgeShown(tasks, context)
    const codes = tasks.map(task => {
      const { name } = task.state
      // What was answered asks for nothing any more, though nobody may have passed it on.
      const isAnswered = name === 'needs_input' && !asking.includes(task)
      return exitCodeOfState(isAnswered ? 'running' : name)
    })
    // Of those that have ended, the worst; that others go on is what was asked for.
    const ended = codes.filter(code => code !== exitCodeOfState('running'))
    return worstExitCode(any && ended.length > 0 ? ended : codes)
  },
})

/** For people: what is done when the wait is over; null: the tasks go on. */
function nextOf(tasks: readonly Task[], asking: readonly Task[]): string | null {
  if (asking.length > 0) return `next: holdfast answer ${nameOne(asking)}`
  const ended = tasks.filter(({ state }) => hasEnded(state))
  if (ended.length === 0) return null
  const what = nameOne(ended)
  return `next: holdfast result ${what} · holdfast diff ${what}`
}

function nameOne([only, another]: readonly Task[]): string {
  return only === undefined || another !== undefined ? 'TASK' : only.request.id
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
