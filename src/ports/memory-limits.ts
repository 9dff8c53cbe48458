/** Whether this machine can hold the processes of an attempt to an amount of memory. */
export interface MemoryLimits {
  /** Tries it once. Refuses with `refused_in_state`: no limit is ever left out in silence. */
  requireWorking(): Promise<void>
}
