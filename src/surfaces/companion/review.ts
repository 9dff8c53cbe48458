import type { Arguments, Grammar } from './arguments.ts'
import { readEffort, readModel } from './choices.ts'
import { chooseTarget } from './choose-target.ts'
import { plainPrompt } from './review-prompt.ts'
import { startJob } from './start-job.ts'
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
    const options = readReviewOptions(given)
    const found = await chooseTarget(options.wish, context)
    const companion = {
      kind: 'review',
      title: 'Codex Review',
      summary: `Review ${found.target.label}`,
      write: false,
      review: found,
    } as const
    const asked = { companion, prompt: plainPrompt(found), session: null, outputSchema: null }
    return await startJob({ ...asked, ...options.choice }, options.how, context)
  },
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
