/**
 * Exclusive sections across processes: one worker per state directory, one writer of a
 * repository's worktree metadata. A lock dies with its holder, however that ends.
 */
export interface Locks {
  /** Takes the lock, or returns undefined at once if somebody holds it. */
  tryAcquire(name: string): Lock | undefined
  /** Whether somebody holds it. */
  isHeld(name: string): boolean
  /** Runs `work` alone. Waits as long as `limitMs`, then throws. */
  withLock<T>(name: string, limitMs: number, work: () => Promise<T>): Promise<T>
}

export interface Lock {
  release(): void
}
