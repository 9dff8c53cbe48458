/** What readies a new worktree before its agent starts. */

/** What a task asks for; it is written down with it, and never looked up again. */
export interface SetUp {
  /** Ignored files that come along; null: the repository names none. */
  readonly included: IncludedFiles | null
  /** The repository's own command; null: it has none. */
  readonly command: SetUpCommand | null
}

export interface SetUpCommand {
  readonly argv: readonly string[]
  /** Files of the repository that it names; what is in them is trusted with it. */
  readonly scripts: readonly string[]
  /** Of all that is trusted. */
  readonly digest: string
  /** It runs only if the user trusted it when the task was handed in. */
  readonly trusted: boolean
}

/** The files that `.worktreeinclude` names, as they were taken. */
export interface IncludedFiles {
  readonly files: number
  readonly bytes: number
  /** What did not come along, in words, each with its path. */
  readonly leftOut: readonly string[]
}
