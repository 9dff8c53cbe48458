/** Time and chance come in through here, so that decisions can be tested. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /**
   * Milliseconds from some beginning of this process: what lasts is measured with it, because it
   * is never set. Whether it goes on while the machine sleeps depends on the system.
   */
  elapsed(): number
  /** In [0, 1). */
  random(): number
  /** A random UUID. */
  uuid(): string
  sleep(ms: number): Promise<void>
}
