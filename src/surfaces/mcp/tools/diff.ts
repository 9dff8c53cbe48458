import * as z from 'zod/mini'
import { requireTask } from '../../find-task.ts'
import { viewDiff } from '../../take-diff.ts'
import { diffView } from '../../view.ts'
import { defineTool, field, taskField } from '../tool.ts'

/** A model reads no more at once. */
const MOST_CHARACTERS = 60_000

const input = z.strictObject({
  task: taskField,
  max_characters: z.optional(
    field(
      z.int().check(z.gte(0)),
      `of the patch (default ${MOST_CHARACTERS}); 0: the counts alone`,
    ),
  ),
})

export const cutDiffView = z.extend(diffView, {
  /** The patch is longer: `holdfast diff ID` prints all of it. */
  cut: z.boolean(),
})

export const diff = defineTool({
  name: 'diff',
  title: 'What a task changed',
  description:
    'What the agent changed, as a patch, and nothing of yours; while the task runs, what it has changed so far.',
  input,
  output: cutDiffView,
  effect: 'none',
  async run({ task: name, max_characters: most = MOST_CHARACTERS }, { context }) {
    const task = await requireTask(await context.holdfast.store(), name)
    const { patch: whole, ...view } = await viewDiff(task, context)
    const patch = whole.length <= most ? whole : whole.slice(0, whole.lastIndexOf('\n', most) + 1)
    const cut = patch.length < whole.length
    const counts = `${view.files} files changed, ${view.insertions} insertions, ${view.deletions} deletions`
    const rest = cut ? `\nthe patch is longer; all of it: holdfast diff ${view.id}` : ''
    return { view: { ...view, patch, cut }, text: `${counts}\n${patch}${rest}` }
  },
})
