/** What a task's new worktree is to be readied with; nothing is taken yet. */
import type { Bounds } from '../domain/configuration.ts'
import type { IncludedFiles } from '../domain/set-up.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

export interface SetUpPlan {
  /** Takes the ignored files that come along into a private directory. */
  readonly takeIncluded: (directory: string) => Promise<IncludedFiles | null>
}

export function planSetUp(checkout: Checkout, bounds: Bounds, worktrees: Worktrees): SetUpPlan {
  return { takeIncluded: directory => worktrees.takeIncluded(checkout, directory, bounds) }
}
