import { configuredAgent } from '../../domain/configuration.ts'
import { AppError } from '../../domain/errors.ts'
import { makeTaskName } from '../../domain/ids.ts'
import { describeTarget, type ReviewKind, type ReviewTarget } from '../../domain/review.ts'
import { writeReviewPrompt } from '../../domain/review-prompt.ts'
import type { Task } from '../../domain/task.ts'
import { chooseReviewed, type ReviewWish, readReviewed } from '../../engine/choose-reviewed.ts'
import type { HandInPlan } from '../../engine/hand-in.ts'
import { findCheckout } from '../common-git-dir.ts'
import type { SurfaceContext } from '../context.ts'
import type { OptionWishes } from '../settle-options.ts'
import { firstReadyAgent, planTask } from '../submit.ts'
import { answerSchema } from './answer-schema.ts'

/** A review that somebody wants. */
export interface ReviewOrder {
  readonly of: ReviewWish
  readonly kind: ReviewKind
  /** What to look at above all; empty: nothing in particular. */
  readonly focus: string
  /** Undefined: as configured, else the first that is ready. */
  readonly agent?: string | undefined
  /** Undefined: as configured. Null: the agent's own. */
  readonly model?: string | null | undefined
  readonly effort?: string | null | undefined
  /** Whoever asks stays with it, and has its end from there. */
  readonly isAwaited: boolean
  readonly options?: Pick<
    OptionWishes,
    'name' | 'timeoutMs' | 'budget' | 'notify' | 'priority' | 'idempotencyKey'
  >
}

/**
 * A review as a task: it may only read, stands in a worktree of its own in the state after the change,
 * is given the change, and answers in the one shape. An empty change is refused when it is handed in.
 */
export async function planReview(
  order: ReviewOrder,
  context: SurfaceContext,
): Promise<HandInPlan | { readonly handedInBefore: Task }> {
  const { holdfast, directory } = context
  const { kind, focus, isAwaited, options } = order
  const worktrees = await holdfast.worktrees()
  const ports = { store: await holdfast.store(), files: await holdfast.files(), worktrees }
  const reviewed = await chooseReviewed(order.of, directory, ports)
  const { target, changes, revision, source } = reviewed
  const root = source?.checkout?.place.root ?? findCheckout(directory)?.root ?? null
  const configuration = await holdfast.configuration(root)
  const agentName =
    order.agent ?? configuredAgent(configuration) ?? (await firstReadyAgent(context))
  const { capabilities } = await holdfast.agent(agentName)
  if (!capabilities.takesPrompt) {
    throw new AppError('bad_usage', `the agent ${agentName} cannot review`, {
      hint: 'name another, for example: -a codex',
    })
  }
  const isHeld = capabilities.answersBySchema === true
  const review = { kind, focus, target }
  const wish = {
    agentName,
    // What is asked, in words that are the same whenever it is asked again.
    prompt: new TextEncoder().encode([kind, wordsOf(order.of), focus].join('\n')),
    argv: [],
    retryOnCrash: false,
    model: order.model,
    effort: order.effort,
    permissions: 'read-only' as const,
    isAwaited,
    review,
    source,
    options: {
      ...options,
      name: options?.name ?? nameOf(target),
      base: revision ?? undefined,
      changes,
      outputSchema: isHeld ? answerSchema() : undefined,
    },
  }
  const plan = await planTask(wish, { root, configuration }, context)
  if ('handedInBefore' in plan) return plan
  if (reviewed.passesOver) context.output.tell('not reviewed: what is not committed')
  const { commonDir } = plan.request.repo
  return {
    ...plan,
    async promptFor(base) {
      const change = await readReviewed(target, base, commonDir, ports)
      const schema = isHeld ? null : answerSchema()
      return new TextEncoder().encode(writeReviewPrompt(review, change, schema))
    },
  }
}

function wordsOf(wish: ReviewWish): string {
  switch (wish.kind) {
    case 'branch':
      return `branch against ${wish.base ?? 'the default'}`
    case 'commit':
      return `commit ${wish.revision}`
    case 'task':
      return `task ${wish.task.request.id}`
    default:
      return wish.kind
  }
}

function nameOf(target: ReviewTarget): string {
  const of = target.kind === 'task' ? target.name : describeTarget(target)
  return makeTaskName(`review ${of}`, 'review')
}
