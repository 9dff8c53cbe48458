/** Time and chance come in through here, so that decisions can be tested. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** In [0, 1). */
  random(): number
  sleep(ms: number): Promise<void>
}
