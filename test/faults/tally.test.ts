import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchDirectory } from '../scratch.ts'
import { type Case, cases } from './plan.ts'
import { reliabilityPage, totalsOf } from './report.ts'
import { Tally } from './tally.ts'

const [first, second] = cases as [Case, Case]
const well = { survived: true, lostTasks: 0, lostBytes: 0 }

test('a run in pieces is whole once all of it was played, of one program; what fell once has fallen', () => {
  const file = join(scratchDirectory(), 'tally')
  const tally = new Tally(file)
  tally.add({ one: first, ...well })
  expect([tally.has(first), tally.has(second)]).toEqual([true, false])
  expect(tally.wholeOf([first, second])).toBeUndefined()
  // What fell of another program says nothing of this one; nor does a line that was not written to its end.
  const other = readFileSync(file, 'utf8')
    .replace(/"program":"\w+"/, '"program":"other"')
    .replace('"survived":true', '"survived":false')
  appendFileSync(file, `${other}${other.slice(0, 20)}\n`)
  const later = new Tally(file)
  later.add({ one: second, survived: false, lostTasks: 0, lostBytes: 7 })
  later.add({ one: second, ...well })
  const whole = new Tally(file).wholeOf([first, second]) ?? []
  const last = { commit: 'abc', ...totalsOf(whole) }
  expect(last).toMatchObject({ cases: 2, survived: 1, lostBytes: 7 })
  const page = reliabilityPage([first, second], last)
  expect(page).toContain('2 kills, 1 not survived. Tasks lost: 0. Bytes of work lost: 7.**\n\n- ')
  expect(reliabilityPage(cases, last)).toContain('Kills were added since, or taken out.')
})
