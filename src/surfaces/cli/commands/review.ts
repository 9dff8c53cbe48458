import { AppError } from '../../../domain/errors.ts'
import { hasFindingOf, type Severity, severities } from '../../../domain/review.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import type { ReviewWish } from '../../../engine/choose-reviewed.ts'
import { refuseCircle } from '../../../engine/refuse-circle.ts'
import { requireTask } from '../../find-task.ts'
import { planReview } from '../../review/plan-review.ts'
import { viewReview } from '../../review/view-review.ts'
import { type CommandContext, defineCommand, type FlagValues, jsonFlag } from '../command.ts'
import { exitCodeOfState, exitCodes } from '../exit-codes.ts'
import { parseChoice } from '../flags.ts'
import { handInAndTell, type Shown, tellHandedIn } from '../hand-in-and-tell.ts'
import { readOptions, runOptions } from '../run-options.ts'
import { showReview } from '../show-review.ts'

const { name, timeout, budget, priority, notify, idempotencyKey } = runOptions

const flags = {
  base: { about: 'what HEAD adds to this commit or branch', value: 'REF' },
  uncommitted: { about: 'what is not committed' },
  commit: { about: 'what this commit changed', value: 'SHA' },
  adversarial: { about: 'have it try to show that the change must not be merged' },
  focus: { about: 'what to look at above all', value: 'TEXT' },
  agent: {
    about: 'who reviews (default: as configured, else the first agent that is ready)',
    value: 'AGENT',
    short: 'a',
  },
  wait: { about: 'stay until it has ended, and show what it found; an interrupt only detaches' },
  failOn: {
    about: 'with --wait: exit with 1 if anything as bad as this was found, or nothing can be read',
    value: 'SEVERITY',
    choices: severities,
  },
  model: { about: 'the model, as the agent names it', value: 'MODEL', short: 'm' },
  effort: { about: 'how hard to think, as the agent names it', value: 'EFFORT' },
  name: { ...name, about: 'what to call it (default: review, and what of)' },
  timeout,
  budget,
  priority,
  notify,
  idempotencyKey,
  ...jsonFlag,
} as const

const usage = 'review [TASK | --base REF | --uncommitted | --commit SHA] ["FOCUS"]'

export const review = defineCommand({
  name: 'review',
  group: 'Do',
  summary: 'Have an agent review a change, without changing anything',
  usage,
  flags,
  examples: [
    'holdfast review --wait',
    'holdfast review --base main --adversarial "what if it runs twice?"',
    'holdfast review fix-the-login -a claude --wait',
    'holdfast review --commit HEAD~1 --json',
    'holdfast review --base origin/main --wait --fail-on high',
  ],
  async run({ flags: given, words }, context) {
    if (given.failOn !== undefined && given.wait !== true) {
      throw new AppError('bad_usage', '--fail-on does nothing without --wait', {
        hint: `usage: holdfast ${usage} --wait --fail-on ${given.failOn}`,
      })
    }
    const failOn =
      given.failOn === undefined ? null : parseChoice(given.failOn, 'fail-on', severities)
    const { of, focus } = await readWish(given, words, context)
    const order = {
      of,
      kind: given.adversarial === true ? 'adversarial' : 'review',
      focus,
      agent: given.agent,
      model: given.model,
      effort: given.effort,
      isAwaited: given.wait === true,
      options: await readOptions(pickOptions(given), context),
    } as const
    const plan = await planReview(order, context)
    const asked = { ...given, shownAs: showAs({ json: given.json === true, failOn }, context) }
    if ('handedInBefore' in plan) {
      return await tellHandedIn({ task: plan.handedInBefore, isNew: false }, asked, context)
    }
    if (given.wait === true) await refuseCircle(plan, await context.holdfast.store())
    return await handInAndTell(plan, asked, context)
  },
})

function pickOptions(given: FlagValues<typeof flags>): FlagValues<typeof runOptions> {
  const { name, timeout, budget, priority, notify, idempotencyKey } = given
  return Object.fromEntries(
    Object.entries({ name, timeout, budget, priority, notify, idempotencyKey }).filter(
      ([, value]) => value !== undefined,
    ),
  )
}

/** A word names a task; several, in one argument, are the focus: no task's name has a space. */
async function readWish(
  given: FlagValues<typeof flags>,
  words: readonly string[],
  { holdfast }: CommandContext,
): Promise<{ readonly of: ReviewWish; readonly focus: string }> {
  const texts = words.filter(word => /\s/.test(word))
  const names = words.filter(word => !/\s/.test(word))
  if (given.focus !== undefined) texts.push(given.focus)
  const [focus = '', ...otherTexts] = texts
  const [task, ...otherNames] = names
  if (otherTexts.length > 0 || otherNames.length > 0) {
    throw new AppError('bad_usage', `unexpected "${otherTexts[0] ?? otherNames[0]}"`, {
      hint: `usage: holdfast ${usage}; a focus of one word: --focus WORD`,
    })
  }
  const { base, uncommitted, commit } = given
  const targets = [
    task === undefined ? null : 'a task',
    base === undefined ? null : '--base',
    uncommitted === undefined ? null : '--uncommitted',
    commit === undefined ? null : '--commit',
  ].filter(target => target !== null)
  if (targets.length > 1) {
    throw new AppError('bad_usage', `${targets.join(' and ')} exclude each other`, {
      hint: `usage: holdfast ${usage}`,
    })
  }
  if (task !== undefined) {
    const store = await holdfast.store()
    return { of: { kind: 'task', task: await requireReviewed(task, store) }, focus }
  }
  if (base !== undefined) return { of: { kind: 'branch', base }, focus }
  if (commit !== undefined) return { of: { kind: 'commit', revision: commit }, focus }
  return { of: { kind: uncommitted === true ? 'uncommitted' : 'auto' }, focus }
}

async function requireReviewed(
  reference: string,
  store: Parameters<typeof requireTask>[0],
): Promise<Task> {
  try {
    return await requireTask(store, reference)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'no_such_task') throw error
    throw new AppError('no_such_task', error.message, {
      hint: `holdfast status --all lists them; a focus of one word: --focus ${reference}`,
    })
  }
}

function showAs(
  { json, failOn }: { readonly json: boolean; readonly failOn: Severity | null },
  context: CommandContext,
): Shown {
  return {
    view: task => viewReview(task, context),
    async end(task) {
      const { output } = context
      const { state } = task
      if (hasEnded(state)) {
        const { verdict, findings } = await showReview(task, context, { json })
        if (state.name === 'failed' && state.failure.hint !== undefined) {
          output.tell(`  ${state.failure.hint}`)
        }
        if (state.name !== 'succeeded' || failOn === null) return exitCodeOfState(state.name)
        // What cannot be read may be anything.
        const passes = verdict !== null && !hasFindingOf(findings, failOn)
        return passes ? exitCodes.done : exitCodes.taskFailed
      }
      if (json) output.writeJson(await viewReview(task, context))
      return exitCodeOfState(state.name)
    },
  }
}
