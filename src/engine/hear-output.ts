/** Wakes whoever follows an attempt when its agent has written something; a look would come later. */
import type { ProcessHost } from '../ports/process-host.ts'

export interface Hearing {
  /** Resolves at the tick, or sooner: when something was written since the last call. */
  orTick(tick: Promise<void>): Promise<void>
  stop(): void
}

/** Agents write in bursts: what comes within this is taken together. */
const REST_MS = 20

export function hearOutput(runDirectory: string, host: ProcessHost): Hearing {
  let missed = false
  // One at a time: a promise for each look of a silent agent would be kept for hours.
  let wake: (() => void) | undefined
  let rest: NodeJS.Timeout | undefined
  const deafen = host.watchOutput(runDirectory, () => {
    rest ??= setTimeout(() => {
      rest = undefined
      missed = wake === undefined
      wake?.()
    }, REST_MS)
  })
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
