import * as z from 'zod/mini'
import { acknowledgeNamed, listInbox, viewEntry } from '../../read-inbox.ts'
import { inboxView } from '../../view.ts'
import { defineTool, field } from '../tool.ts'

const input = z.strictObject({
  mine: z.optional(field(z.boolean(), 'only what this session of yours asked for')),
  acknowledge: z.optional(
    field(z.array(z.string()), 'take note of these first: tasks, or ids of deliveries'),
  ),
})

export const readInboxView = z.extend(inboxView, {
  /** How many were taken note of just now. */
  acknowledged: z.number(),
})

export const inbox = defineTool({
  name: 'inbox',
  title: 'What has ended unseen',
  description:
    'What has ended, or asks something, and nobody has taken note of; also what earlier sessions have asked for.',
  input,
  output: readInboxView,
  effect: 'changes',
  async run({ mine, acknowledge }, { context }) {
    const acknowledged =
      acknowledge === undefined ? 0 : await acknowledgeNamed(acknowledge, context)
    const deliveries = (await listInbox(mine ?? false, context)).map(viewEntry)
    const lines = deliveries.map(({ task, event }) => `${task.id} ${event} ${task.name}`)
    const text = lines.length === 0 ? 'nothing: all was taken note of' : lines.join('\n')
    return { view: { deliveries, acknowledged }, text }
  },
})
