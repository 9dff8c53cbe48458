import { planRetry } from '../../../engine/resubmit.ts'
import { requireTask } from '../../find-task.ts'
import { resubmitPorts } from '../../hand-in-ports.ts'
import { memoryFlag, settleMemory } from '../../memory-limit.ts'
import { readSetUpWish } from '../../set-up-wish.ts'
import { askerOf, timeoutFlag } from '../asker.ts'
import { defineCommand, jsonFlag, requireWord } from '../command.ts'
import { handInAndTell, waitFlag } from '../hand-in-and-tell.ts'

const usage = 'retry TASK'

export const retry = defineCommand({
  name: 'retry',
  group: 'Do',
  summary: 'Do an ended task anew: same prompt and base, fresh session and worktree',
  usage,
  flags: {
    fresh: { about: 'without its last snapshot, where its worktree was lost' },
    ...waitFlag,
    ...timeoutFlag,
    ...memoryFlag,
    ...jsonFlag,
  },
  examples: ['holdfast retry fix-the-login', 'holdfast retry k3v9 --wait'],
  async run({ flags, words }, context) {
    const { holdfast } = context
    const task = await requireTask(await holdfast.store(), requireWord(words, 'TASK', usage))
    const agent = await holdfast.agent(task.request.agent)
    const { root } = task.request.repo
    const setUp = await readSetUpWish(root, await holdfast.configuration(root), context)
    const wish = { setUp, fresh: flags.fresh === true }
    const ports = await resubmitPorts(context)
    const memoryBytes = await settleMemory(flags.memory, task.request.memoryBytes, holdfast)
    const asker = { ...(await askerOf(flags, context)), memoryBytes }
    const plan = await planRetry(task, agent, asker, wish, ports)
    return await handInAndTell(plan, flags, context)
  },
})
