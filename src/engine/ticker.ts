/**
 * The worker's heartbeat: everybody who looks at something again waits for the same tick, so that
 * 200 attempts cost one timer. A hint (`wake`) brings the next tick forward.
 */
export interface Ticker {
  /** Resolves at the next tick, which comes at the latest after `withinMs`. */
  next(withinMs?: number): Promise<void>
  /** Resolves at the first tick at which `isDue` says so; it is asked at each. */
  wait(isDue: () => boolean): Wait
  wake(): void
  stop(): void
}

export interface Wait {
  readonly over: Promise<void>
  /** Ends it now, or, right after others were ended so, in a moment, together with more of them. */
  end(): void
}

/** How often attempts are looked at: a dead agent is to be noticed within a second. */
export const LOOK_EVERY_MS = 500
/** A wake is held back this long after the last tick, so that chatter does not become load. */
const REST_MS = 40
/**
 * The first of many whose wait ends is not held back at all; those that follow it are, together: the
 * more there were just before, the longer, until it is the next tick that ends them.
 */
const GATHER_MS = 40
const GATHER_EACH_MS = 20

interface Waiting {
  readonly isDue: () => boolean
  readonly resume: () => void
}

/** Whoever cannot say looks itself, and meets the error where it belongs: a timer belongs to nobody. */
function isDue(one: Waiting): boolean {
  try {
    return one.isDue()
  } catch {
    return true
  }
}

export function makeTicker(): Ticker {
  const waiting = new Set<Waiting>()
  let lastTick = performance.now()
  let hinted: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined
  /** Whose wait is to be ended together; undefined: nobody's was a moment ago. */
  let gathered: Set<Waiting> | undefined
  let gathering: NodeJS.Timeout | undefined
  const resume = (one: Waiting) => {
    if (waiting.delete(one)) one.resume()
  }
  const tick = () => {
    clearTimeout(hinted?.timer)
    hinted = undefined
    lastTick = performance.now()
    if (gathered !== undefined) endGathered()
    for (const one of [...waiting]) if (isDue(one)) resume(one)
  }
  const timer = setInterval(tick, LOOK_EVERY_MS)
  /** One timer at most, for the earliest of all that was asked for. */
  const tickIn = (ms: number) => {
    const at = performance.now() + Math.max(0, ms)
    if (hinted !== undefined && hinted.at <= at) return
    clearTimeout(hinted?.timer)
    hinted = { timer: setTimeout(tick, Math.max(0, ms)), at }
  }
  const endGathered = () => {
    clearTimeout(gathering)
    const ended = gathered ?? new Set()
    gathered = ended.size > 0 ? new Set() : undefined
    for (const one of ended) resume(one)
    const ms = Math.max(GATHER_MS, GATHER_EACH_MS * ended.size)
    if (ended.size > 0) gathering = setTimeout(endGathered, ms)
  }
  const end = (one: Waiting) => {
    if (gathered !== undefined) {
      gathered.add(one)
      return
    }
    gathered = new Set([one])
    endGathered()
  }
  const wait = (isDue: () => boolean): Wait => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const one = { isDue, resume: resolve }
    waiting.add(one)
    return { over: promise, end: () => end(one) }
  }
  return {
    next(withinMs = LOOK_EVERY_MS) {
      if (withinMs < LOOK_EVERY_MS) tickIn(withinMs)
      return wait(() => true).over
    },
    wait,
    wake() {
      tickIn(REST_MS - (performance.now() - lastTick))
    },
    stop() {
      clearInterval(timer)
      clearTimeout(hinted?.timer)
      clearTimeout(gathering)
      for (const one of [...waiting]) resume(one)
    },
  }
}
