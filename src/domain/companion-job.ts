/** What a task is in the words of the Codex plugin's command line, where it was asked there. */

export const companionKinds = ['task', 'review', 'adversarial-review'] as const
export const reviewModes = ['working-tree', 'branch'] as const

export interface CompanionJob {
  readonly kind: (typeof companionKinds)[number]
  readonly title: string
  /** One line. */
  readonly summary: string
  /** It may change files. */
  readonly write: boolean
  /** Of a review alone. */
  readonly review?: CompanionReview
}

export interface CompanionReview {
  readonly target: ReviewTarget
  readonly context: ReviewContext
}

export interface ReviewTarget {
  readonly mode: (typeof reviewModes)[number]
  readonly label: string
  /** Of a branch: what it is compared with. */
  readonly baseRef?: string
  /** The caller has named it. */
  readonly explicit: boolean
}

export interface ReviewContext {
  readonly repoRoot: string
  readonly branch: string
  /** One sentence. */
  readonly summary: string
}
