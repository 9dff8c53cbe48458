import { resolve } from 'node:path'
import * as z from 'zod/mini'
import { requireTask } from '../../find-task.ts'
import { giveBack, takeHome } from '../../take-home.ts'
import { type ApplyView, applyView } from '../../view.ts'
import { cwdField, defineTool, field, taskField } from '../tool.ts'

const input = z.strictObject({
  task: taskField,
  to: z.optional(
    field(
      z.string(),
      'a directory of the checkout (default: yours, or else the one it was asked in)',
    ),
  ),
  mode: z.optional(
    field(
      z.enum(['check', 'clean', 'conflicts']),
      'check only says what would happen; clean (the default) writes nothing if anything conflicts; conflicts writes those with markers',
    ),
  ),
  undo: z.optional(field(z.boolean(), 'take it back: the files as they were, to the byte')),
  cwd: cwdField,
})

export const apply = defineTool({
  name: 'apply',
  title: 'Take the work of a task home',
  description:
    'Merges what the agent changed into the working files of a checkout, next to what is uncommitted there. Nothing is staged, and it can be undone.',
  input,
  output: applyView,
  effect: 'changes',
  async run(given, { context }) {
    const task = await requireTask(await context.holdfast.store(), given.task)
    const to = given.to === undefined ? null : resolve(context.directory, given.to)
    const view =
      given.undo === true
        ? await giveBack(task, to, context)
        : await takeHome(task, to, given.mode ?? 'clean', context)
    return { view, text: describe(view) }
  },
})

function describe({ id, to, state, files, conflicts }: ApplyView): string {
  const where = to === null ? '' : ` in ${to}`
  return [
    `${id}: ${state.replace('_', ' ')}${where}`,
    ...files.map(({ path, change }) => `${change} ${path}`),
    ...conflicts.map(({ path, why }) => `conflict ${path}: ${why}`),
    state === 'conflicts' ? 'nothing was written' : '',
  ]
    .join('\n')
    .trimEnd()
}
