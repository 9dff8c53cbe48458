import * as z from 'zod/mini'
import { AppError } from '../../../domain/errors.ts'
import type { ReviewWish } from '../../../engine/choose-reviewed.ts'
import { requireTask } from '../../find-task.ts'
import { planReview } from '../../review/plan-review.ts'
import { viewReview } from '../../review/view-review.ts'
import { handInAndRing } from '../../submit.ts'
import { reviewView } from '../../view.ts'
import { keyOf } from '../asked-by-client.ts'
import { cwdField, defineTool, field, type ToolCall } from '../tool.ts'

const text = (about: string) => z.optional(field(z.string(), about))

const input = z.strictObject({
  cwd: cwdField,
  task: text('what this task has changed: its id, the beginning of it, or its name'),
  base: text('what HEAD adds to this commit or branch'),
  commit: text('what this commit changed'),
  uncommitted: z.optional(
    field(z.boolean(), 'what is not committed; none of these four: that, or else the branch'),
  ),
  adversarial: z.optional(
    field(z.boolean(), 'have it try to show that the change must not be merged'),
  ),
  focus: text('what to look at above all'),
  agent: text('who reviews, for example codex or claude (default: as configured)'),
  name: text('what to call it'),
  model: text('the model, as the agent names it'),
  effort: text('how hard to think, as the agent names it'),
  idempotency_key: text('handed in twice under it, it is one review'),
})

export const reviewedView = z.object({
  review: reviewView,
  /** False: it was handed in before, under the same key. */
  isNew: z.boolean(),
})

export const review = defineTool({
  name: 'review',
  title: 'Have a change reviewed',
  description:
    'Has a coding agent review a change, without changing anything: what is not committed, a branch, a commit, or what a task has done. Returns at once with the id; then: wait, and result, whose `review` has verdict and findings.',
  input,
  output: reviewedView,
  effect: 'sets_to_work',
  async run(given, call) {
    const { context } = call
    const plan = await planReview(
      {
        of: await readWish(given, call),
        kind: given.adversarial === true ? 'adversarial' : 'review',
        focus: given.focus ?? '',
        agent: given.agent,
        model: given.model,
        effort: given.effort,
        isAwaited: true,
        options: { name: given.name, idempotencyKey: given.idempotency_key ?? keyOf(call) },
      },
      context,
    )
    const { task, isNew } = await handInAndRing(plan, context)
    const view = await viewReview(task, context)
    const when = isNew ? '' : 'was handed in before; it '
    const said = `${view.task} ${view.name}, of ${view.target.label}: ${when}is ${view.state}. It goes on by itself: wait and result take this id.`
    return { view: { review: view, isNew }, text: said }
  },
})

async function readWish(
  { task, base, commit, uncommitted }: z.infer<typeof input>,
  { context: { holdfast } }: ToolCall,
): Promise<ReviewWish> {
  const named = [task, base, commit, uncommitted === true || undefined]
  if (named.filter(one => one !== undefined).length > 1) {
    throw new AppError('bad_usage', 'task, base, commit and uncommitted exclude each other')
  }
  if (task !== undefined) {
    return { kind: 'task', task: await requireTask(await holdfast.store(), task) }
  }
  if (base !== undefined) return { kind: 'branch', base }
  if (commit !== undefined) return { kind: 'commit', revision: commit }
  return { kind: uncommitted === true ? 'uncommitted' : 'auto' }
}
