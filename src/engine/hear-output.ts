/** Wakes whoever follows an attempt when its agent has written something; a look would come later. */
import type { ProcessHost } from '../ports/process-host.ts'

export interface Hearing {
  /** Resolves at the tick, or sooner: when something was written since the last call. */
  orTick(tick: Promise<void>): Promise<void>
  stop(): void
}

/** The first word of a burst is taken at once, and what comes within this after it together. */
const REST_MS = 20

export function hearOutput(runDirectory: string, host: ProcessHost): Hearing {
  let missed = false
  // One at a time: a promise for each look of a silent agent would be kept for hours.
  let wake: (() => void) | undefined
  let rest: NodeJS.Timeout | undefined
  let more = false
  const hear = () => {
    if (rest !== undefined) {
      more = true
      return
    }
    missed = wake === undefined
    wake?.()
    more = false
    rest = setTimeout(() => {
      rest = undefined
      if (more) hear()
    }, REST_MS)
  }
  const deafen = host.watchOutput(runDirectory, hear)
  return {
    orTick(tick) {
      if (missed) {
        missed = false
        return Promise.resolve()
      }
      return new Promise(resolve => {
        wake = () => {
          wake = undefined
          resolve()
        }
        void tick.then(wake)
      })
    },
    stop() {
      clearTimeout(rest)
      deafen()
    },
  }
}
