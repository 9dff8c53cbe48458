/**
 * Told by a provider to come back in an hour, Pi sleeps for that hour without a word. A module that
 * Node loads before Pi makes it fail at once instead, as its clients allow a server to ask for, and
 * says on stderr when it may go on. Nothing of the user's is touched for that, and what Pi starts
 * does not inherit it.
 */

/** What the module writes, and where the time is in it. */
const SAID = /^holdfast: HTTP (\d+), retry after (\S+)$/gm

/** As Node's `--import` takes it. */
export const longWaitsModule = `data:text/javascript,${encodeURIComponent(`(${refuseLongWaits})()`)}`

interface LongWait {
  readonly status: number
  /** Milliseconds since 1970. */
  readonly until: number
}

/** The last one that was refused. */
export function findLongWait(stderr: string): LongWait | undefined {
  const last = [...stderr.matchAll(SAID)].at(-1)
  const until = Date.parse(last?.[2] ?? '')
  return Number.isNaN(until) ? undefined : { status: Number(last?.[1]), until }
}

/** Runs in Pi's process, as text: it may use nothing that is outside of it. */
function refuseLongWaits(): void {
  const longestMs = 60_000
  const plainFetch = globalThis.fetch
  globalThis.fetch = async (...request) => {
    const response = await plainFetch(...request)
    if (response.status < 400) return response
    const { headers } = response
    const ms = Number(headers.get('retry-after-ms') || Number.NaN)
    const after = headers.get('retry-after') || ''
    const seconds = Number(after || Number.NaN)
    const date = Date.parse(after) - Date.now()
    const wait = [ms, seconds * 1_000, date].find(one => !Number.isNaN(one)) ?? 0
    // No date is as far away as the larger bound (300 years): it would be an error to name it.
    if (wait <= longestMs || wait > 1e13) return response
    const until = new Date(Date.now() + wait).toISOString()
    process.stderr.write(`holdfast: HTTP ${response.status}, retry after ${until}\n`)
    const changed = new Headers(headers)
    changed.set('x-should-retry', 'false')
    const { status, statusText } = response
    return new Response(response.body, { status, statusText, headers: changed })
  }
}
