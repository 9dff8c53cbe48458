/** When a silent agent counts as stalled, and when no more is tried. Pure. */
import type { Activity } from './activity.ts'
import type { Failure } from './outcome.ts'

/** So long without a word and without work, unless the user set another time. */
export const STALL_MS = 10 * 60_000
/** After so many stalls in a row, with nothing done in between, it is given up. */
export const MOST_STALLS = 3

/** What the processes of an attempt have used so far, those together that live. */
export interface Exertion {
  readonly cpuMs: number
  /** Read and written, from and to anything. */
  readonly ioBytes: number
  readonly processes: number
}

/** What the processes of an agent that does nothing use all the same. */
export interface Idling {
  /** Of one core. */
  readonly cpuShare: number
  readonly ioBytesPerMinute: number
}

/** Most wait in event loops that wake up now and then: a log line or a keep-alive is no work. */
export const IDLING: Idling = { cpuShare: 0.02, ioBytesPerMinute: 64 * 1024 }

/** Whether anything was done between two looks. Whoever ended or came meanwhile did something. */
export function wasBusy(
  before: Exertion,
  after: Exertion,
  elapsedMs: number,
  idling: Idling,
): boolean {
  if (after.processes !== before.processes) return true
  const cpuMs = after.cpuMs - before.cpuMs
  const ioBytes = after.ioBytes - before.ioBytes
  if (cpuMs < 0 || ioBytes < 0) return true
  return (
    cpuMs > elapsedMs * idling.cpuShare || ioBytes > (elapsedMs / 60_000) * idling.ioBytesPerMinute
  )
}

/** How often the processes of a silent attempt are measured: several times until it is a stall. */
export function measureEveryMs(stallMs: number): number {
  return Math.min(60_000, stallMs / 4)
}

/** The failures in a row, with one more stall: of an attempt that got something done it is the first. */
export function countStalls(before: number, { activeMs, fruitlessMs }: Activity): number {
  return fruitlessMs < activeMs ? 1 : before + 1
}

export function stallFailure(silentMs: number, last: Exertion | null): Failure {
  const processes = last === null ? '' : `, ${last.processes} of its processes idle`
  return {
    code: 'stalled',
    message: `the agent said nothing for ${Math.round(silentMs / 1000)} s${processes}`,
    hint: 'holdfast logs --raw shows its last words; --stall sets another time',
  }
}
