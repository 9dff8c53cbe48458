/**
 * When a limit ends, from the words that agents say it in. Pure: what is said of a clock is relative
 * to when, and to the time zone in which, it was said.
 *
 * Known ways (each seen, or read in the agent's program): "try again at 8:46 AM" and "… at Nov 30th,
 * 2026 8:46 AM" (Codex), "resets 9:05am (UTC)" and "resets Nov 30, 9am (Europe/Berlin)" (Claude
 * Code), "limit reached|1764403200" (Claude Code), "try again in 3 days 4 hours" (Codex), "retry
 * after 3600 s" (HTTP).
 */

/** A time of the day is said in whole minutes, cut off: the limit ends within that minute. */
const MINUTE_MS = 60_000
/** A time that was said is in the future; more than this is no time of a limit. */
const LONGEST_MS = 62 * 24 * 60 * MINUTE_MS

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const EPOCH = /\b(1[5-9]\d{8}|[2-4]\d{9})(\d{3})?\b/
const ISO = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)/
const CLOCK =
  /\b(?:at|resets?|until|on)\b[^\w\n]*(?:at |on )?(?:(?<month>[a-z]{3})[a-z]* (?<day>\d{1,2})(?:st|nd|rd|th)?(?:, (?<year>\d{4}))?,?(?: at)? )?(?<hour>\d{1,2})(?::(?<minute>\d\d))?(?: ?(?<half>[ap])\.?m\b)?(?: ?\((?<zone>[\w+\-/]+)\))?/i
const SPAN =
  /\b(?:in|after)[:=]? ((?:\d+(?:\.\d+)? ?(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|ms)?(?![a-z])[ ,]*(?:and )?)+)/i
const SPAN_PART =
  /(\d+(?:\.\d+)?) ?(ms|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)?(?![a-z])/gi

/**
 * When a limit is said to end, in milliseconds since 1970; null where nothing is said that we
 * understand. `zone` is an IANA name; the words may name another one.
 */
export function parseResetTime(words: string, saidAt: number, zone: string): number | null {
  const isSound = (time: number) =>
    Number.isFinite(time) && time > saidAt - 2 * MINUTE_MS && time < saidAt + LONGEST_MS
  const found = [parseIso(words), parseEpoch(words), parseClock(words, saidAt, zone)]
  const time = found.find(one => one !== null && isSound(one)) ?? parseSpan(words, saidAt)
  return time !== null && isSound(time) ? Math.round(time) : null
}

function parseIso(words: string): number | null {
  const [text] = words.match(ISO) ?? []
  return text === undefined ? null : Date.parse(text)
}

function parseEpoch(words: string): number | null {
  const [, seconds, ms] = words.match(EPOCH) ?? []
  return seconds === undefined ? null : Number(seconds) * 1_000 + Number(ms ?? 0)
}

/** The next such time of the day, or that of the day that is named. */
function parseClock(words: string, saidAt: number, zoneHere: string): number | null {
  const parts = words.match(CLOCK)?.groups
  // A bare number is no time of the day.
  if (parts === undefined || (parts.minute === undefined && parts.half === undefined)) return null
  const hour = parseHour(Number(parts.hour), parts.half?.toLowerCase())
  const minute = Number(parts.minute ?? 0)
  if (hour === null || minute > 59) return null
  const zone = [parts.zone, zoneHere, 'UTC'].find(isZone) ?? 'UTC'
  const today = dayIn(saidAt, zone)
  if (parts.month === undefined) {
    const time = timeIn({ ...today, hour, minute }, zone)
    const next = timeIn({ ...today, day: today.day + 1, hour, minute }, zone)
    return (time < saidAt - MINUTE_MS ? next : time) + MINUTE_MS
  }
  const month = MONTHS.indexOf(parts.month.toLowerCase())
  if (month < 0) return null
  const day = { month, day: Number(parts.day), hour, minute }
  const year = Number(parts.year ?? today.year)
  const time = timeIn({ ...day, year }, zone)
  // Said in December of a day in January.
  const isPast = parts.year === undefined && time < saidAt - MINUTE_MS
  return (isPast ? timeIn({ ...day, year: year + 1 }, zone) : time) + MINUTE_MS
}

function parseHour(hour: number, half: string | undefined): number | null {
  if (half === undefined) return hour <= 23 ? hour : null
  if (hour < 1 || hour > 12) return null
  return (hour % 12) + (half === 'p' ? 12 : 0)
}

const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^ms$/i, 1],
  [/^d/i, 24 * 60 * MINUTE_MS],
  [/^h/i, 60 * MINUTE_MS],
  [/^m/i, MINUTE_MS],
  [/^s/i, 1_000],
]

/** A number without a unit is of seconds, as in HTTP. */
function parseSpan(words: string, saidAt: number): number | null {
  const [, span] = words.match(SPAN) ?? []
  if (span === undefined) return null
  let ms = 0
  for (const [, count, unit = 's'] of span.matchAll(SPAN_PART)) {
    ms += Number(count) * (UNITS.find(([name]) => name.test(unit))?.[1] ?? 1_000)
  }
  return saidAt + ms
}

interface Day {
  readonly year: number
  /** From 0. */
  readonly month: number
  readonly day: number
}

function isZone(name: string | undefined): name is string {
  if (name === undefined || name === '') return false
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** How far the clocks of a zone are ahead of UTC, in milliseconds. */
function offsetAt(time: number, zone: string): number {
  const options = {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  } as const
  const parts = new Intl.DateTimeFormat('en-US', options).formatToParts(time)
  const of = (type: string) => Number(parts.find(part => part.type === type)?.value)
  const there = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  )
  return there - Math.floor(time / 1_000) * 1_000
}

function dayIn(time: number, zone: string): Day {
  const there = new Date(time + offsetAt(time, zone))
  return { year: there.getUTCFullYear(), month: there.getUTCMonth(), day: there.getUTCDate() }
}

/** In the hour that clocks skip, or show twice, one of the two readings. */
function timeIn(
  { year, month, day, hour, minute }: Day & { readonly hour: number; readonly minute: number },
  zone: string,
): number {
  const asUtc = Date.UTC(year, month, day, hour, minute)
  const first = asUtc - offsetAt(asUtc, zone)
  return asUtc - offsetAt(first, zone)
}
