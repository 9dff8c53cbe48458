/** GitHub, through its own command line (`gh`), as the user is logged in there. */
export interface GitHub {
  /** Whether `gh` is on the PATH, and starts. */
  isThere(): Promise<boolean>
  /** What it prints, run in a checkout. Refuses with `push_failed`, in its own words. */
  run(words: readonly string[], directory: string): Promise<string>
}
