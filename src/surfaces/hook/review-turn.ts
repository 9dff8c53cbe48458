/** Has a turn reviewed by another agent, which may only read, and waits for what it says. */
import { configuredAgent } from '../../domain/configuration.ts'
import { AppError } from '../../domain/errors.ts'
import { parseCommitId } from '../../domain/ids.ts'
import { hasFindingOf, type ReviewFinding, type ReviewTarget } from '../../domain/review.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { Tie } from '../../domain/tie.ts'
import type { TurnChange } from '../../domain/turn.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { askForEnds, awaitEnds } from '../end-tasks.ts'
import { tieToSelf } from '../find-tie.ts'
import { answerSchema } from '../review/answer-schema.ts'
import { readAnswer } from '../review/read-answer.ts'
import { describePlace } from '../review/render-review.ts'
import { firstReadyAgent } from '../submit.ts'
import { submitRequest } from '../submit-request.ts'
import { waitForTasks } from '../wait-for.ts'
import { turnReviewPrompt } from './turn-review-prompt.ts'

export interface TurnReview {
  /** The task that has reviewed. */
  readonly id: string
  readonly agent: string
  /** The findings that must be mended, for whoever is to do it; null: there are none. */
  readonly mustMend: string | null
  /** How many others there are. */
  readonly remarks: number
}

/** Claude Code ends the hook after fifteen. */
const AT_MOST_MS = 14 * 60_000
/** Somebody waits for it, and it is short. */
const PRIORITY = 50

/**
 * A review that has not ended when this does is ended: nobody else waits for it. Undefined: the wait was broken off.
 * Refuses where there is no review in the end; the message says why.
 */
export async function reviewTurn(
  turn: TurnChange & { readonly said: string },
  context: CommandContext,
): Promise<TurnReview | undefined> {
  const { holdfast, directory } = context
  const root = findCheckout(directory)?.root ?? null
  const agent =
    configuredAgent(await holdfast.configuration(root)) ?? (await firstReadyAgent(context))
  const { capabilities } = await holdfast.agent(agent)
  const outputSchema = capabilities.answersBySchema === true ? answerSchema() : undefined
  const { task } = await submitRequest(
    {
      agent,
      prompt: turnReviewPrompt(turn, answerSchema()),
      permissions: 'read-only',
      isAwaited: true,
      review: { kind: 'review', focus: '', target: targetOf(turn) },
      tie: await tieToThis(context),
    },
    { name: 'review-of-turn', priority: PRIORITY, outputSchema },
    context,
  )
  const { id } = task.request
  const isStuck = (one: Task) => whatItWaitsFor(one, context.now()) !== null
  const { tasks, end } = await waitForTasks([id], { timeoutMs: AT_MOST_MS, isStuck }, context)
  const [ended = task] = tasks
  const { state } = ended
  if (!hasEnded(state)) {
    const how = (await endNow(ended, context))
      ? 'is ended'
      : `is being ended: holdfast status ${id}`
    if (typeof end === 'object') return undefined
    if (end === 'timeout') throw noReview(`its review took too long, and ${how}`)
    if (state.name === 'needs_input') throw noReview(`its review asked something, and ${how}`)
    throw noReview(`its review ${how}: ${whatItWaitsFor(ended, context.now())}`)
  }
  await acknowledgeShown([ended], context)
  if (state.name === 'failed') throw noReview(`its review failed: ${state.failure.message}`)
  if (state.name !== 'succeeded') throw noReview(`its review came to no end (${state.name})`)
  const { answer } = readAnswer(state.result.answer ?? '')
  if (answer === null) throw noReview(`its review cannot be read: holdfast result ${id}`)
  const grave = answer.findings.filter(finding => hasFindingOf([finding], 'high'))
  const isBad = answer.verdict === 'needs-attention' && grave.length > 0
  return {
    id,
    agent: ended.agent,
    mustMend: isBad ? grave.map(describeFinding).join('\n') : null,
    remarks: answer.findings.length - (isBad ? grave.length : 0),
  }
}

/** By which it is a review like others, whose findings can be shown and handed on. */
function targetOf({ since }: TurnChange): ReviewTarget {
  const from = since === null ? undefined : parseCommitId(since)
  if (from === undefined) return { kind: 'uncommitted' }
  return { kind: 'branch', base: from.slice(0, 7), branch: null, from }
}

/** What somebody would have to wait for too long, in a line; null: it gets on, or tries again soon. */
function whatItWaitsFor({ state, account, limitedUntil }: Task, now: number): string | null {
  if (state.name === 'queued') {
    if (limitedUntil === null || limitedUntil <= now) return null
    return `the usage limit of ${account} was met, until ${new Date(limitedUntil).toISOString()}`
  }
  if (state.name !== 'waiting') return null
  const { wait } = state
  return wait.reason === 'usage_limit' || wait.reason === 'budget' ? wait.failure.message : null
}

/** False: its end was asked for, and has not come yet. */
async function endNow(task: Task, context: CommandContext): Promise<boolean> {
  const { going } = await askForEnds([task], { tree: true, lost: false }, context)
  const { tasks } = await awaitEnds(going, context)
  await acknowledgeShown(tasks, context)
  return tasks.every(({ state }) => hasEnded(state))
}

const noReview = (why: string) => new AppError('refused_in_state', why)

function describeFinding(finding: ReviewFinding): string {
  const { severity, title, body, recommendation } = finding
  const place = describePlace(finding)
  return [
    `- [${severity ?? 'grave or not, it does not say'}] ${title}${place === null ? '' : ` (${place})`}`,
    `  ${body}`,
    ...(recommendation === '' ? [] : [`  Recommendation: ${recommendation}`]),
  ].join('\n')
}

/** Null: it cannot be told, or not be seen from where the worker is; then the review ends by itself. */
async function tieToThis({ caller, holdfast }: CommandContext): Promise<Tie | null> {
  try {
    return await tieToSelf(caller, holdfast)
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}
