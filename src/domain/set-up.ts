/** What readies a new worktree before its agent starts. */

/** What a task asks for; it is written down with it, and never looked up again. */
export interface SetUp {
  /** Ignored files that come along; null: the repository names none. */
  readonly included: IncludedFiles | null
}

/** The files that `.worktreeinclude` names, as they were taken. */
export interface IncludedFiles {
  readonly files: number
  readonly bytes: number
  /** What did not come along, in words, each with its path. */
  readonly leftOut: readonly string[]
}
