import { AppError } from '../../domain/errors.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { SurfaceContext } from '../context.ts'
import { requireTask } from '../find-task.ts'
import { findingsPrompt, parseFindingNumbers } from './findings-prompt.ts'
import { viewReview } from './view-review.ts'

/** The flags by which a review's findings are given to an agent, wherever a prompt is. */
export const findingsFlags = {
  findings: { about: 'have it mend what this review has found', value: 'REVIEW' },
  only: { about: 'with --findings: only those with these numbers, for example 1,3', value: 'N' },
} as const

/** `words`: what the caller says besides; empty: nothing. */
export async function readFindings(
  { findings, only }: { readonly findings: string; readonly only?: string | undefined },
  words: string,
  context: SurfaceContext,
): Promise<string> {
  const numbers = only === undefined ? null : parseFindingNumbers(only)
  const task = await requireTask(await context.holdfast.store(), findings)
  const view = await viewReview(task, context)
  if (hasEnded(task.state)) return findingsPrompt(view, numbers, words)
  throw new AppError('not_finished', `${view.task} has not ended yet: it is ${view.state}`, {
    hint: `holdfast wait ${view.task}`,
  })
}

/** Refuses `--only` where there is nothing that it would choose from. */
export function refuseLoneOnly(flags: {
  readonly findings?: string | undefined
  readonly only?: string | undefined
}): void {
  if (flags.only === undefined || flags.findings !== undefined) return
  throw new AppError('bad_usage', '--only does nothing without --findings')
}

/** Refuses a task that could mend nothing: above all the review itself. */
export function refuseReadOnly({ request }: Task, findings: string | undefined): void {
  const { id, permissions } = request
  if (findings === undefined || permissions.effective !== 'read-only') return
  throw new AppError('refused_in_state', `${id} may only read, and mends nothing`, {
    hint: `to have it mended: holdfast run --findings ${findings}; to ask about it: holdfast send ${id} "…"`,
  })
}
