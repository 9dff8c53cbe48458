/**
 * What the user trusts to run: a repository's set-up command, by its content. Kept in the state
 * directory, never in the repository.
 */

/** A checkout's set-up command, with the files that it names. */
export interface FoundSetUp {
  readonly argv: readonly string[]
  /** Relative to the top of the checkout. The first may be the program itself. */
  readonly scripts: readonly { readonly path: string; readonly bytes: Uint8Array }[]
  /** Of the words and of the bytes of the files: what is trusted. */
  readonly digest: string
  /** The file that names it. */
  readonly from: string
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
