/** What a review looks at: what is uncommitted, or the branch. */
import type { CompanionReview, ReviewTarget } from '../../domain/companion-job.ts'
import type { ChangeSurvey, Checkout } from '../../ports/worktrees.ts'
import type { CommandContext } from '../cli/command.ts'
import { Refusal } from './subcommand.ts'

export interface TargetWish {
  /** What the branch is compared with, in the caller's words. */
  readonly base: string | undefined
  readonly scope: string | undefined
}

const scopes = ['auto', 'working-tree', 'branch']

export async function chooseTarget(
  { base, scope = 'auto' }: TargetWish,
  { holdfast, directory }: CommandContext,
): Promise<CompanionReview> {
  const worktrees = await holdfast.worktrees()
  const checkout = await worktrees.openCheckout(directory)
  if (!scopes.includes(scope) && base === undefined) {
    throw new Refusal(
      `Unsupported review scope "${scope}". Use one of: ${scopes.join(', ')}, or pass --base <ref>.`,
    )
  }
  const survey = await worktrees.surveyChanges(checkout)
  const target = findTarget({ base, scope }, survey)
  if (target.baseRef !== undefined) await worktrees.requireCommit(checkout, target.baseRef)
  return { target, context: describe(target, survey, checkout) }
}

function findTarget(
  { base, scope }: { readonly base: string | undefined; readonly scope: string },
  { staged, unstaged, untracked, mainBranch }: ChangeSurvey,
): ReviewTarget {
  const isDirty = staged + unstaged + untracked > 0
  const explicit = base !== undefined || scope !== 'auto'
  if (base === undefined && (scope === 'working-tree' || (scope === 'auto' && isDirty))) {
    return { mode: 'working-tree', label: 'working tree diff', explicit }
  }
  const baseRef = base ?? mainBranch
  if (baseRef === null) {
    throw new Refusal(
      'Unable to detect the repository default branch. Pass --base <ref> or use --scope working-tree.',
    )
  }
  return { mode: 'branch', label: `branch diff against ${baseRef}`, baseRef, explicit }
}

function describe(
  { mode, baseRef }: ReviewTarget,
  { staged, unstaged, untracked, branch }: ChangeSurvey,
  { place }: Checkout,
): CompanionReview['context'] {
  const name = branch ?? 'HEAD'
  const summary =
    mode === 'working-tree'
      ? `Reviewing ${staged} staged, ${unstaged} unstaged, and ${untracked} untracked file(s).`
      : `Reviewing branch ${name} against ${baseRef}.`
  return { repoRoot: place.root, branch: name, summary }
}
