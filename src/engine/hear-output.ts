/** Wakes whoever follows an attempt when its agent has written something; a look would come later. */
import type { ProcessHost } from '../ports/process-host.ts'
import type { Ticker, Wait } from './ticker.ts'

export interface Hearing {
  /**
   * Resolves at the first tick at which `isDue` says so, or sooner: when something was written since
   * the last call. What cannot be heard is due at each tick.
   */
  orWhen(isDue: () => boolean): Promise<void>
  stop(): void
}

export function hearOutput(runDirectory: string, host: ProcessHost, ticker: Ticker): Hearing {
  let missed = false
  let waiting: Wait | undefined
  const watch = host.watchOutput(runDirectory, () => {
    missed = waiting === undefined
    waiting?.end()
  })
  return {
    async orWhen(isDue) {
      waiting = ticker.wait(() => !watch.isOn() || isDue())
      if (missed) waiting.end()
      missed = false
      await waiting.over
      waiting = undefined
    },
    stop: watch.stop,
  }
}
