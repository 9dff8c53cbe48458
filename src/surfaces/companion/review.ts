import type { CommandContext } from '../cli/command.ts'
import { planReview, type ReviewOrder } from '../review/plan-review.ts'
import { handInPlanned } from '../submit.ts'
import type { Arguments, Grammar } from './arguments.ts'
import { readEffort, readModel } from './choices.ts'
import { chooseTarget } from './choose-target.ts'
import { tellOfJob } from './hand-in.ts'
import { attendJob } from './start-job.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

export const reviewGrammar: Grammar = {
  values: ['base', 'scope', 'model', 'effort'],
  switches: ['background', 'wait'],
  takesText: true,
}

export const review: Subcommand = {
  grammar: reviewGrammar,
  async run(given, context) {
    const focus = given.text.trim()
    if (focus !== '') {
      throw new Refusal(
        `\`/codex:review\` does not support custom focus text. Retry with \`/codex:adversarial-review ${focus}\` for focused review instructions.`,
      )
    }
    const asked = { kind: 'review', focus: '', ...readReviewOptions(given) } as const
    return await startReview(asked, context)
  },
}

type AskedReview = ReturnType<typeof readReviewOptions> & {
  readonly kind: 'review' | 'adversarial-review'
  readonly focus: string
}

/** In the words of the companion, and done as every review is. */
export async function startReview(
  { kind, focus, wish, choice, how }: AskedReview,
  context: CommandContext,
): Promise<number> {
  const found = await chooseTarget(wish, context)
  const { mode, label, baseRef = null } = found.target
  const isPlain = kind === 'review'
  const companion = {
    kind,
    title: isPlain ? 'Codex Review' : 'Codex Adversarial Review',
    summary: `${isPlain ? 'Review' : 'Adversarial Review'} ${label}`,
    write: false,
    review: found,
  } as const
  // From here on a signal waits: it may not leave half a task, nor one whose id nobody knows.
  void context.interrupted
  const order: ReviewOrder = {
    of: mode === 'branch' ? { kind: 'branch', base: baseRef } : { kind: 'uncommitted' },
    kind: isPlain ? 'review' : 'adversarial',
    focus,
    agent: 'codex',
    ...choice,
    isAwaited: !how.background,
    options: { name: `codex-${kind}` },
  }
  const caller = { ...context.caller, companion }
  const asJob = Object.create(context, { caller: { value: caller } }) as CommandContext
  const plan = await planReview(order, asJob)
  // Without a key nothing was handed in before.
  if ('handedInBefore' in plan) throw new Error('a job has no idempotency key')
  const { task } = await handInPlanned(plan, asJob)
  await tellOfJob(task, context)
  return await attendJob(task, companion, how, context)
}

export function readReviewOptions({ values, switches }: Arguments) {
  if (switches.has('background') && switches.has('wait')) {
    throw new Refusal('Choose either --background or --wait.')
  }
  return {
    wish: { base: values.base, scope: values.scope },
    choice: { model: readModel(values.model), effort: readEffort(values.effort) },
    how: { json: switches.has('json'), background: switches.has('background') },
  }
}
