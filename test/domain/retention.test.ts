import { expect, it } from 'vitest'
import type { WorktreeId } from '../../src/domain/ids.ts'
import { type Candidate, decideRetention } from '../../src/domain/retention.ts'

const DAY = 86_400_000
const NOW = 100 * DAY

/** The nth newest: it ended n days ago. */
const candidate = (n: number, more: Partial<Candidate> = {}): Candidate => ({
  id: `w${n}` as WorktreeId,
  kind: 'managed',
  pinned: false,
  retiring: false,
  isInUse: false,
  idleSince: NOW - n * DAY,
  isUntaken: false,
  bytes: 10,
  ...more,
})

const goers = (candidates: readonly Candidate[], keep: number, maxIdleMs: number | null = null) =>
  decideRetention(candidates, { keep, maxIdleMs }, NOW)
    .filter(({ goes }) => goes)
    .map(({ id }) => id)

it('keeps the newest, and lets the oldest go first', () => {
  const candidates = [3, 1, 4, 2].map(n => candidate(n))
  expect(goers(candidates, 2)).toEqual(['w4', 'w3'])
  expect(goers(candidates, 0)).toEqual(['w4', 'w3', 'w2', 'w1'])
  expect(goers(candidates, 4)).toEqual([])
})

it.each<[string, Partial<Candidate>]>([
  ['your own checkout', { kind: 'borrowed' }],
  ['a task uses it', { isInUse: true }],
  ['permanent', { kind: 'permanent' }],
  ['pinned', { pinned: true }],
  ['not taken yet', { isUntaken: true }],
])('one of which holds "%s" stays, and the reason is said', (why, more) => {
  const decisions = decideRetention([candidate(9, more)], { keep: 0, maxIdleMs: null }, NOW)
  expect(decisions).toEqual([{ id: 'w9', goes: false, why: expect.stringContaining(why) }])
})

it('those that stay for another reason do not make room for others', () => {
  const pinned = [1, 2].map(n => candidate(n, { pinned: true }))
  expect(goers([...pinned, candidate(3), candidate(4)], 2)).toEqual(['w4', 'w3'])
  // Permanent ones are not counted.
  expect(goers([candidate(1, { kind: 'permanent' }), candidate(2), candidate(3)], 2)).toEqual([])
})

it('one that was being put away goes, but not while a task uses it', () => {
  expect(goers([candidate(1, { retiring: true })], 15)).toEqual(['w1'])
  expect(goers([candidate(1, { retiring: true, isInUse: true })], 0)).toEqual([])
})

it('an old one goes also from among the newest', () => {
  expect(goers([candidate(1), candidate(9)], 15, 7 * DAY)).toEqual(['w9'])
  expect(goers([candidate(9, { pinned: true })], 15, 7 * DAY)).toEqual([])
})

it('what the budget needs goes from among the newest, the oldest first, and no more than that', () => {
  const candidates = [
    candidate(1),
    candidate(2),
    candidate(3, { bytes: null }),
    candidate(4, { isUntaken: true }),
    candidate(5, { pinned: true }),
    candidate(6),
    candidate(7),
  ]
  const reclaimed = (over: number, keep = 15) =>
    decideRetention(candidates, { keep, maxIdleMs: null }, NOW, over)
      .filter(({ goes }) => goes)
      .map(({ id, why }) => [id, why])
  const budget = 'the disk budget is exceeded'
  expect(reclaimed(0)).toEqual([])
  expect(reclaimed(-1)).toEqual([])
  expect(reclaimed(11)).toEqual([
    ['w7', budget],
    ['w6', budget],
  ])
  // Of whose size nothing is known, nothing is known to be gained either.
  expect(reclaimed(1000).map(([id]) => id)).toEqual(['w7', 'w6', 'w2', 'w1'])
  // What goes anyway counts first.
  expect(reclaimed(15, 6)).toEqual([
    ['w7', '6 newer ones stay'],
    ['w6', budget],
  ])
})
