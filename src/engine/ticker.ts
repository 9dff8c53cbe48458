/**
 * The worker's heartbeat: everybody who looks at something again waits for the same tick, so that
 * 200 attempts cost one timer. A hint (`wake`) brings the next tick forward.
 */
export interface Ticker {
  /** Resolves at the next tick, which comes at the latest after `withinMs`. */
  next(withinMs?: number): Promise<void>
  wake(): void
  stop(): void
}

/** How often attempts are looked at: a dead agent is to be noticed within a second. */
export const LOOK_EVERY_MS = 500
/** A wake is held back this long after the last tick, so that chatter does not become load. */
const REST_MS = 40

export function makeTicker(): Ticker {
  let waiting: (() => void)[] = []
  let lastTick = performance.now()
  let hinted: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined
  const tick = () => {
    clearTimeout(hinted?.timer)
    hinted = undefined
    lastTick = performance.now()
    const due = waiting
    waiting = []
    for (const resume of due) resume()
  }
  const timer = setInterval(tick, LOOK_EVERY_MS)
  /** One timer at most, for the earliest of all that was asked for. */
  const tickIn = (ms: number) => {
    const at = performance.now() + Math.max(0, ms)
    if (hinted !== undefined && hinted.at <= at) return
    clearTimeout(hinted?.timer)
    hinted = { timer: setTimeout(tick, Math.max(0, ms)), at }
  }
  return {
    next(withinMs = LOOK_EVERY_MS) {
      if (withinMs < LOOK_EVERY_MS) tickIn(withinMs)
      return new Promise(resolve => waiting.push(resolve))
    },
    wake() {
      tickIn(REST_MS - (performance.now() - lastTick))
    },
    stop() {
      clearInterval(timer)
      tick()
    },
  }
}
