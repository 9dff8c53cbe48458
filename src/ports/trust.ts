/**
 * What the user trusts to run: a repository's own commands, by their content. Kept in the state
 * directory, never in the repository.
 */
import type { AppError } from '../domain/errors.ts'
import type { CommandRole } from '../domain/set-up.ts'

/** A command of a checkout's, with the files that it names. */
export interface FoundCommand {
  readonly argv: readonly string[]
  /** Relative to the top of the checkout. The first may be the program itself. */
  readonly scripts: readonly { readonly path: string; readonly bytes: Uint8Array }[]
  /** Of what it is for, of the words and of the bytes of the files: what is trusted. */
  readonly digest: string
  /** The file that names it. */
  readonly from: string
}

/** Undefined: it names none. */
export type FoundCommands = Readonly<Record<CommandRole, FoundCommand | undefined>> & {
  /** A refusal: it cannot be read, which only whoever would use it has to be told. */
  readonly verify: FoundCommand | AppError | undefined
}

export interface Trusted {
  /** The common git directory. */
  readonly repository: string
  readonly digest: string
  readonly argv: readonly string[]
  readonly scripts: readonly string[]
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Trust {
  /** What cannot be read trusts nothing. */
  isTrusted(repository: string, digest: string): boolean
  /** Refuses with `store_unreadable` where what is written down cannot be read. */
  list(): readonly Trusted[]
  add(trusted: Trusted): Promise<void>
  /** Trusts nothing of a repository any more; how many were revoked. */
  revoke(repository: string): Promise<number>
}
