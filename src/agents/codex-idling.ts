import type { Idling } from '../domain/stall.ts'

/** Measured with 0.169.0: while it waits for its model it wakes up all the time, and writes its log. */
export const CODEX_IDLING: Idling = { cpuShare: 0.1, ioBytesPerMinute: 6_000_000 }
