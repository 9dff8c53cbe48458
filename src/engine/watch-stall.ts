/** Notices an agent that says nothing and does nothing: by its output, CPU time and input/output. */
import { type Exertion, type Idling, measureEveryMs, wasBusy } from '../domain/stall.ts'
import type { AttemptProcesses, ProcessHost } from '../ports/process-host.ts'

export interface Stall {
  readonly silentMs: number
  /** What its processes came to at the last look; null: they could not be measured. */
  readonly exertion: Exertion | null
}

export interface StallWatch {
  /**
   * To be asked at every look at a live agent: whether it was heard at this one; `now` is measured,
   * not of the clock on the wall.
   */
  look(now: number, isHeard: boolean): Stall | null
  /** It waits for a person: that is no silence of its own. */
  excuse(now: number): void
}

export function watchStall(
  attempt: AttemptProcesses,
  stallMs: number,
  idling: Idling,
  began: number,
  host: ProcessHost,
): StallWatch {
  let quietSince = began
  /** Undefined: it was heard, and is to be asked for at the next look. */
  let saidAt: number | null | undefined
  let measured: { readonly at: number; readonly exertion: Exertion | null } | undefined
  // One that was measured once may have been at work all the time: we may not have been there.
  let isIdle = false
  const excuse = (now: number) => {
    quietSince = now
    measured = undefined
    isIdle = false
  }
  return {
    excuse,
    look(now, isHeard) {
      if (isHeard) {
        excuse(now)
        saidAt = undefined
        return null
      }
      if (saidAt === undefined) saidAt = host.lastOutputAt(attempt.runDirectory)
      const every = measureEveryMs(stallMs)
      // Most agents are never silent for so long: their processes are never measured.
      const isDue = now - (measured?.at ?? quietSince) >= every
      if (!isDue && !(isIdle && now - quietSince >= stallMs)) return null
      const said = host.lastOutputAt(attempt.runDirectory)
      if (said !== saidAt) {
        saidAt = said
        excuse(now)
        return null
      }
      if (isDue) {
        const before = measured
        measured = { at: now, exertion: host.measure(attempt) }
        const isBusy =
          before?.exertion != null &&
          measured.exertion !== null &&
          wasBusy(before.exertion, measured.exertion, now - before.at, idling)
        if (isBusy) quietSince = now
        isIdle = before !== undefined && !isBusy
      }
      return isIdle && measured !== undefined && now - quietSince >= stallMs
        ? { silentMs: now - quietSince, exertion: measured.exertion }
        : null
    },
  }
}
