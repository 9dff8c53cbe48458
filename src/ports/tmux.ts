/**
 * tmux, for people who want to look in: a session whose only program shows what a task does. It
 * reads, and nothing depends on it. It ends when its program does.
 */
export interface Tmux {
  /** Refuses with `tmux_missing`. */
  requireThere(): void
  /**
   * Makes a detached session that runs `argv`, under the first of the names that no session has; the
   * name that it got. Refuses with tmux's own words.
   */
  show(names: readonly [string, ...string[]], argv: readonly string[]): Promise<string>
}
