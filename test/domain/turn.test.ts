/** What a turn has changed, and whether it is reviewed. */
import { expect, test } from 'vitest'
import { planStop, type Standing, type Turn } from '../../src/domain/turn.ts'

const standing = (files: Standing['files'], head = 'c1', root = '/repo'): Standing => ({
  root,
  head,
  files,
})
const turn = (from: Standing, rounds = 0, review: string | null = null): Turn => ({
  from,
  isOpen: true,
  rounds,
  review,
})
const plan = (before: Turn | undefined, now: Standing, isAgain = false) =>
  planStop(before, now, { isAgain, mostRounds: 2 })
const review = (files: readonly string[] | null, since: string | null = null, rounds = 0) => ({
  kind: 'review',
  change: { files, since },
  rounds,
})

test('only what the turn has changed is reviewed', () => {
  const dirty = standing({ a: '1', b: '1' })
  expect(plan(turn(dirty), dirty)).toMatchObject({ kind: 'stop', findings: null })
  // Written anew, made, and taken away (or back to what was committed).
  expect(plan(turn(dirty), standing({ a: '2', c: '1' }))).toEqual(review(['a', 'b', 'c']))
  expect(plan(turn(dirty), standing({ a: '1', b: '1' }, 'c2'))).toEqual(review([], 'c1'))
  // Where its beginning was not seen, all that is uncommitted may be its work; and nothing else is.
  expect(plan(undefined, dirty)).toEqual(review(['a', 'b']))
  expect(plan(undefined, standing({}))).toMatchObject({ kind: 'stop' })
  const elsewhere = turn(standing({ a: '1' }, 'c0', '/other'))
  expect(plan(elsewhere, dirty)).toEqual(review(['a', 'b']))
  // Too many to say.
  expect(plan(turn(dirty), standing(null))).toEqual(review(null))
  expect(plan(turn(standing(null)), dirty)).toEqual(review(['a', 'b']))
})

test('a session is kept from stopping so often, and not without reason', () => {
  const before = standing({ a: '1' })
  const after = standing({ a: '2' })
  const first = turn(before, 1, 'r1')
  expect(plan(first, after, true)).toEqual(review(['a'], null, 1))
  expect(plan(first, before, true)).toMatchObject({ why: 'unchanged', findings: 'r1' })
  const second = turn(before, 2, 'r2')
  expect(plan(second, after, true)).toMatchObject({ why: 'rounds', rounds: 2, findings: 'r2' })
  // Another hook has kept it from stopping; and a new turn begins at nought.
  expect(plan(turn(before), after, true)).toEqual(review(['a']))
  expect(plan(second, after, false)).toEqual(review(['a']))
})
