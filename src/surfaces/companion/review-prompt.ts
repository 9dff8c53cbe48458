/** What Codex is asked for a review. It looks at the changes itself: git can be read in its sandbox. */
import type { CompanionReview } from '../../domain/companion-job.ts'

const RULES = `Report only what you can point to in the code, with its file and lines; do not report
matters of taste. Look beyond the changed lines where what they call, or who calls them, decides. Do not
change anything.`

export function plainPrompt(review: CompanionReview): string {
  return `Review a change as a careful colleague would before it is merged.

${describeTarget(review)}

Find bugs, regressions, security problems, lost data, and missing tests for changed behaviour.
${RULES}

Answer with the findings, the worst first, each with its file and line, what goes wrong and when, and how to
mend it. If there are none, say so, and name what you could not check.
`
}

/** `focus`: what to look at above all, in the caller's words; empty: nothing in particular. */
export function adversarialPrompt(review: CompanionReview, focus: string): string {
  const wish = focus.trim() === '' ? '' : `\nLook at this above all:\n${focus}\n`
  return `Try to show that a change should not be merged. Its author believes that it is right; you doubt it.

${describeTarget(review)}
${wish}
Question the design as well as the lines: assumptions that do not hold, inputs and orders of events that were
not thought of, failures half-way, races, rights, data that is lost or leaks, and what cannot be undone.
${RULES}

Answer in the form that is asked for. "verdict" is "approve" if nothing speaks against it, else
"needs-attention". Each finding has its file, the first and the last line, a severity, how sure you are from 0
to 1, what goes wrong and when, and a recommendation. "next_steps" are things to do, the most urgent first.
`
}

function describeTarget({ target, context }: CompanionReview): string {
  if (target.mode === 'branch') {
    return `The change is what the commits of the current branch (${context.branch}) add to ${target.baseRef}: see \`git log ${target.baseRef}..HEAD\` and \`git diff ${target.baseRef}...HEAD\`.`
  }
  return `The change is what is not committed yet: see \`git status --short --untracked-files=all\`, \`git diff --cached\`, \`git diff\`, and the untracked files. ${context.summary}`
}
