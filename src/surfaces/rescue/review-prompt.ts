/** What an agent is told that is to review, and not to change anything. Pure. */
import type { Arguments } from './read-arguments.ts'

export function reviewPrompt(
  kind: 'review' | 'adversarial-review',
  { base, scope, text }: Arguments,
): string {
  const parts = [
    kind === 'review' ? REVIEW : ADVERSARIAL,
    whatToReview(base, scope ?? 'auto'),
    text === '' ? '' : `Pay attention to this above all:\n\n${text}`,
    ANSWER,
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

const REVIEW =
  'Review a change, as somebody who has to live with it. Read it in full, and as much of the code around it as you need. Look for mistakes first: wrong results, lost data, races, missing cases, broken contracts, security. Then for what is missing: tests, documentation. Do not change any file.'

const ADVERSARIAL =
  'Review a change as somebody who wants to show that it must not ship. Question the approach itself and what it takes for granted, not only the lines: what breaks under load, in the middle of a failure, with hostile or merely odd input, when it runs twice, when it is rolled back. Name only what you can argue from the code. Do not change any file.'

const ANSWER =
  'Answer with a verdict in one sentence, then the findings, the gravest first: each with file and line, what goes wrong and when, and what would mend it. Where you found nothing, say so, and say what you looked at.'

function whatToReview(base: string | undefined, scope: string): string {
  const working =
    'the uncommitted changes of the working tree, staged, unstaged and untracked (git status, git diff HEAD)'
  const branch = `the commits of this branch since it left ${base === undefined ? 'the default branch' : `"${base}"`} (git merge-base, git log, git diff)`
  if (scope === 'working-tree') return `What to review: ${working}.`
  if (scope === 'branch' || base !== undefined) return `What to review: ${branch}.`
  return `What to review: ${working}; if there are none, ${branch}.`
}
