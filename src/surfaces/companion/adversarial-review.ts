import { chooseTarget } from './choose-target.ts'
import { readReviewOptions, reviewGrammar } from './review.ts'
import { reviewSchema } from './review-output.ts'
import { adversarialPrompt } from './review-prompt.ts'
import { startJob } from './start-job.ts'
import type { Subcommand } from './subcommand.ts'

export const adversarialReview: Subcommand = {
  grammar: reviewGrammar,
  async run(given, context) {
    const options = readReviewOptions(given)
    const found = await chooseTarget(options.wish, context)
    const companion = {
      kind: 'adversarial-review',
      title: 'Codex Adversarial Review',
      summary: `Adversarial Review ${found.target.label}`,
      write: false,
      review: found,
    } as const
    const prompt = adversarialPrompt(found, given.text)
    const asked = { companion, prompt, session: null, outputSchema: reviewSchema() }
    return await startJob({ ...asked, ...options.choice }, options.how, context)
  },
}
