import { describe, expect, it } from 'vitest'
import { parseResetTime } from '../../src/domain/limits.ts'

const at = (text: string) => Date.parse(text)
const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString())

describe('when a limit ends', () => {
  // Of a time that is said in minutes, the end of that minute is meant: better late than refused.
  it.each<[words: string, saidAt: string, zone: string, end: string | null]>([
    ['try again at 8:46 AM.', '2026-11-21T03:00:00Z', 'UTC', '2026-11-21T08:47:00.000Z'],
    ['try again at 8:46 AM.', '2026-11-21T09:00:00Z', 'UTC', '2026-11-22T08:47:00.000Z'],
    ['try again at 8:46 AM.', '2026-11-21T08:46:30Z', 'UTC', '2026-11-21T08:47:00.000Z'],
    ['try again at 8:46 AM.', '2026-11-21T03:00:00Z', 'Europe/Berlin', '2026-11-21T07:47:00.000Z'],
    ['try again at 8:46 AM.', '2026-11-21T03:00:00Z', 'Asia/Tokyo', '2026-11-21T23:47:00.000Z'],
    [
      'try again at 12:05 AM.',
      '2026-11-21T20:00:00Z',
      'America/New_York',
      '2026-11-22T05:06:00.000Z',
    ],
    ['try again at 12:05 PM.', '2026-11-21T20:00:00Z', 'UTC', '2026-11-22T12:06:00.000Z'],
    [
      'Upgrade to Pro or try again at Nov 30th, 2026 8:46 AM.',
      '2026-11-21T03:00:00Z',
      'UTC',
      '2026-11-30T08:47:00.000Z',
    ],
    [
      "You've hit your limit · resets 9:05am (UTC)",
      '2026-11-21T03:00:00Z',
      'Asia/Tokyo',
      '2026-11-21T09:06:00.000Z',
    ],
    [
      "You've hit your limit · resets 9am (Europe/Berlin)",
      '2026-11-21T03:00:00Z',
      'UTC',
      '2026-11-21T08:01:00.000Z',
    ],
    ['resets Dec 2, 9am (UTC)', '2026-11-28T03:00:00Z', 'UTC', '2026-12-02T09:01:00.000Z'],
    ['resets Jan 3 at 9:30pm (UTC)', '2026-12-28T03:00:00Z', 'UTC', '2027-01-03T21:31:00.000Z'],
    ['usage limit reached|1764403200', '2025-11-29T03:00:00Z', 'UTC', '2025-11-29T08:00:00.000Z'],
    ['resets_at: 1764403200000', '2025-11-29T03:00:00Z', 'UTC', '2025-11-29T08:00:00.000Z'],
    ['reset at 2026-11-21T08:00:00Z', '2026-11-21T03:00:00Z', 'UTC', '2026-11-21T08:00:00.000Z'],
    [
      'Try again in 3 days 4 hours 5 minutes.',
      '2026-11-21T00:00:00Z',
      'UTC',
      '2026-11-24T04:05:00.000Z',
    ],
    ['Please try again in 11.5s.', '2026-11-21T00:00:00Z', 'UTC', '2026-11-21T00:00:11.500Z'],
    ['quota will reset after 3h14m7s.', '2026-11-21T00:00:00Z', 'UTC', '2026-11-21T03:14:07.000Z'],
    ['retry-after: 3600', '2026-11-21T00:00:00Z', 'UTC', '2026-11-21T01:00:00.000Z'],
    // Nothing is said, or nothing that can be believed.
    ['429 quota gone', '2026-11-21T00:00:00Z', 'UTC', null],
    [
      'exceeded retry limit, last status: 429 Too Many Requests',
      '2026-11-21T00:00:00Z',
      'UTC',
      null,
    ],
    ['try again at 25:99 PM', '2026-11-21T00:00:00Z', 'UTC', null],
    ['usage limit reached|1500000000', '2026-11-21T00:00:00Z', 'UTC', null],
    ['resets Nov 30th, 2031 8:46 AM', '2026-11-21T00:00:00Z', 'UTC', null],
    ['reached at 3', '2026-11-21T00:00:00Z', 'UTC', null],
    ['', '2026-11-21T00:00:00Z', 'UTC', null],
  ])('%s, said at %s in %s', (words, saidAt, zone, end) => {
    expect(iso(parseResetTime(words, at(saidAt), zone))).toBe(end)
  })

  it('follows the clocks through the hours in which they change', () => {
    // On 2026-03-29 Berlin goes from UTC+1 to UTC+2, on 2026-10-25 back.
    const berlin = (words: string, saidAt: string) =>
      iso(parseResetTime(words, at(saidAt), 'Europe/Berlin'))
    expect(berlin('try again at 8:00 AM', '2026-03-28T23:30:00Z')).toBe('2026-03-29T06:01:00.000Z')
    expect(berlin('try again at 8:00 AM', '2026-10-24T23:30:00Z')).toBe('2026-10-25T07:01:00.000Z')
  })

  it('takes an unknown time zone for UTC', () => {
    const end = parseResetTime('try again at 8:46 AM', at('2026-11-21T03:00:00Z'), 'Mars/Olympus')
    expect(iso(end)).toBe('2026-11-21T08:47:00.000Z')
  })
})
