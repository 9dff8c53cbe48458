import { readReviewOptions, reviewGrammar, startReview } from './review.ts'
import type { Subcommand } from './subcommand.ts'

export const adversarialReview: Subcommand = {
  grammar: reviewGrammar,
  run: async (given, context) =>
    await startReview(
      { kind: 'adversarial-review', focus: given.text, ...readReviewOptions(given) },
      context,
    ),
}
