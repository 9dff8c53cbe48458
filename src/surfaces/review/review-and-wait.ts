import type { Task } from '../../domain/task.ts'
import type { SurfaceContext } from '../context.ts'
import { ringOrTell } from '../look.ts'
import { type HandedIn, handInPlanned } from '../submit.ts'
import type { ReviewView } from '../view.ts'
import { type WaitEnd, waitForTasks } from '../wait-for.ts'
import { planReview, type ReviewOrder } from './plan-review.ts'
import { viewReview } from './view-review.ts'

/**
 * Hands a review in; durable when this returns, and a worker was told of it. Refuses with
 * `nothing_to_review` where nothing has changed.
 */
export async function reviewAtOnce(order: ReviewOrder, context: SurfaceContext): Promise<HandedIn> {
  const plan = await planReview(order, context)
  const handedIn =
    'handedInBefore' in plan
      ? { task: plan.handedInBefore, isNew: false }
      : await handInPlanned(plan, context)
  await ringOrTell(context)
  return handedIn
}

/** The same, and waits for its end; if that does not come in time, the review goes on. */
export async function reviewAndWait(
  order: ReviewOrder,
  timeoutMs: number | undefined,
  context: SurfaceContext,
): Promise<{ readonly task: Task; readonly end: WaitEnd; readonly review: ReviewView }> {
  const { task: handedIn } = await reviewAtOnce(order, context)
  const { tasks, end } = await waitForTasks([handedIn.request.id], { timeoutMs }, context)
  const task = tasks[0] ?? handedIn
  return { task, end, review: await viewReview(task, context) }
}
