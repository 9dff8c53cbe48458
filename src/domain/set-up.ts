/** What readies a new worktree before its agent starts. */
import { VERIFY_LIMIT_MS } from './verify.ts'

/** What a task asks for; it is written down with it, and never looked up again. */
export interface SetUp {
  /** Ignored files that come along; null: the repository names none. */
  readonly included: IncludedFiles | null
  /** The repository's own command; null: it has none. */
  readonly command: SetUpCommand | null
  /** What is run before the worktree is put away; null, or not there: nothing. */
  readonly cleanUp?: SetUpCommand | null
  /** Directories that come along when the worktree is made; not there: none do. */
  readonly directories?: readonly DirectoryOrder[]
}

/**
 * How a big directory that git ignores comes along. `clone`: its files share their blocks with those
 * of the checkout until one is written to; where the file system has no such thing, it does not come.
 * `symlink`: it is the checkout's own.
 */
export const directoryWays = ['clone', 'copy', 'symlink', 'skip'] as const
export type DirectoryWay = (typeof directoryWays)[number]

export interface DirectoryOrder {
  /** From the top of the checkout, with `/` between. */
  readonly path: string
  readonly way: Exclude<DirectoryWay, 'skip'>
}

/** Of the repository's own commands, which one. */
export type CommandRole = 'set-up' | 'clean-up'

/** The same, with the one that looks at what its agents have done. */
export type NamedRole = CommandRole | 'verify'

/** How long each may take, where nothing else is set, in milliseconds. */
export const DEFAULT_LIMITS_MS = {
  /** A large project is built from nothing. */
  'set-up': 30 * 60_000,
  'clean-up': 5 * 60_000,
  verify: VERIFY_LIMIT_MS,
} as const satisfies Record<NamedRole, number>

export interface SetUpCommand {
  readonly argv: readonly string[]
  /** Files of the repository that it names; what is in them is trusted with it. */
  readonly scripts: readonly string[]
  /** Of all that is trusted. */
  readonly digest: string
  /** It runs only if the user trusted it when the task was handed in. */
  readonly trusted: boolean
  /** How long it may take, in milliseconds; not there: an older Holdfast wrote it down. */
  readonly limitMs?: number
}

/** The files that `.worktreeinclude` names, as they were taken. */
export interface IncludedFiles {
  readonly files: number
  readonly bytes: number
  /** What did not come along, in words, each with its path. */
  readonly leftOut: readonly string[]
}
