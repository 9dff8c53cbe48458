/** The tokens that let caller sessions be written to: secrets, each in a private file of its own. */
export interface CallerTokens {
  /** Where the token of a caller session lies, or would; `socket` is its inbox. */
  pathOf(socket: string): string
  /** Puts it there, if it is not there yet. */
  keep(path: string, token: string): Promise<void>
  list(): Promise<readonly string[]>
  forget(path: string): Promise<void>
}
