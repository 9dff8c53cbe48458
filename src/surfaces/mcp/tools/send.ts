import * as z from 'zod/mini'
import type { Task } from '../../../domain/task.ts'
import { requireTask } from '../../find-task.ts'
import { sendAndView } from '../../send-words.ts'
import { sentView } from '../../view.ts'
import { keyOf, refuseUnlessAllowed } from '../asked-by-client.ts'
import { defineTool, field, taskField } from '../tool.ts'

const input = z.strictObject({
  task: taskField,
  text: field(z.string(), 'what is to be said; its agent knows all that was said in its session'),
  idempotency_key: z.optional(field(z.string(), 'sent twice under one key, it is said once')),
})

export const send = defineTool({
  name: 'send',
  title: 'Say more to a task',
  description:
    'Says more to the agent of a task, in the same session: while it works, it hears it; once it has ended, a task that follows goes on in the same worktree. Returns at once; then wait and result take the id that is returned.',
  input,
  output: sentView,
  effect: 'sets_to_work',
  async run(given, call) {
    const { context } = call
    const task = await requireTask(await context.holdfast.store(), given.task)
    const words = {
      text: Buffer.from(given.text),
      key: given.idempotency_key ?? keyOf(call) ?? null,
      isAwaited: true,
      async check({ request: { permissions } }: Task) {
        const { asked, effective } = permissions
        if (asked === 'full' && effective === 'full') await refuseUnlessAllowed(call)
      },
    }
    const view = await sendAndView(task, words, context)
    const { id, name, follows } = view.task
    const text =
      view.message === null
        ? `${id} ${name} follows ${follows}: it goes on by itself. wait, result, diff and apply take this id.`
        : `${id} ${name}: told; ${HEARD[view.heard]}`
    return { view, text }
  },
})

const HEARD = {
  at_once: 'its agent hears it at once.',
  after_turn: 'its agent hears it when its turn is over.',
  at_start: 'its agent hears it when it starts, or goes on.',
} as const
