import { type Budget, describeBudget, isUsedUp, spentOf } from '../../../domain/budget.ts'
import { AppError } from '../../../domain/errors.ts'
import type { Task } from '../../../domain/task.ts'
import { planResume } from '../../../engine/go-on.ts'
import { requireTask } from '../../find-task.ts'
import { resubmitPorts } from '../../hand-in-ports.ts'
import { lookAtTask, ringOrTell } from '../../look.ts'
import { memoryFlag, settleMemory } from '../../memory-limit.ts'
import { restoreIfPutAway } from '../../restore-if-put-away.ts'
import { requireBudget } from '../../settle-options.ts'
import { askerOf, timeoutFlag } from '../asker.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type Asked, handInAndTell, waitAndTell, waitFlag } from '../hand-in-and-tell.ts'

const usage = 'resume TASK'

export const resume = defineCommand({
  name: 'resume',
  group: 'Do',
  summary: 'End a task’s wait; or go on with one that stopped, in its session and worktree',
  usage,
  flags: {
    ...waitFlag,
    ...timeoutFlag,
    ...memoryFlag,
    budget: { about: 'let it use so much in all: 5usd, 2Mtok', value: 'AMOUNT' },
    ...jsonFlag,
  },
  examples: ['holdfast resume fix-the-login', 'holdfast resume k3v9 --timeout 2h --wait'],
  async run({ flags, words }, context) {
    const { holdfast } = context
    const store = await holdfast.store()
    const task = await requireTask(store, requireWord(words, 'TASK', usage))
    const { id } = task.request
    const idle = (['timeout', 'memory'] as const).find(flag => flags[flag] !== undefined)
    if (task.state.name === 'waiting' && idle !== undefined) {
      throw new AppError('bad_usage', `--${idle} does nothing here: ${id} only waits`, {
        hint: `holdfast resume ${id}`,
      })
    }
    const budget = flags.budget === undefined ? task.budget : requireBudget(flags.budget)
    if (isUsedUp(budget, task.usage)) refuseBudget(task, budget)
    const ended = { kind: 'wait_ended', ...(budget === null ? {} : { budget }) } as const
    const roused = await store.transition(id, null, ended, context.now())
    if (roused !== undefined) return await tell(roused, flags, context)
    await restoreIfPutAway(task, context)
    const agent = await holdfast.agent(task.agent)
    const memoryBytes = await settleMemory(flags.memory, task.request.memoryBytes, holdfast)
    const plan = await planResume(
      task,
      agent,
      { ...(await askerOf(flags, context)), budget, memoryBytes },
      await resubmitPorts(context),
    )
    return await handInAndTell(plan, flags, context)
  },
})

function refuseBudget({ request, usage }: Task, budget: Budget | null): never {
  const { id } = request
  const spent = budget === null ? '' : describeBudget(budget, spentOf(budget, usage) ?? 0)
  throw new AppError('refused_in_state', `${id} has used ${spent}: its budget is used up`, {
    hint: `holdfast resume ${id} --budget, with more than that`,
  })
}

/** It waits for nothing any more. */
async function tell(task: Task, asked: Asked, context: CommandContext): Promise<number> {
  const { output } = context
  await ringOrTell(context)
  if (asked.wait === true) return await waitAndTell(task, asked, context)
  const { id } = task.request
  if (asked.json === true) output.writeJson(await lookAtTask(task, context))
  else output.write(`${id}\n`)
  output.tell(`${task.request.name}: its wait is over · next: holdfast logs -f ${id}`)
  return exitCodes.done
}
