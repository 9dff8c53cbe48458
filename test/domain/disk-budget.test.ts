import { expect, it } from 'vitest'
import {
  chooseReclaim,
  diskBudget,
  diskWarning,
  hasRoomForPool,
  isFresh,
  shownBytes,
} from '../../src/domain/disk-budget.ts'
import { decideRawOutput } from '../../src/domain/raw-output.ts'

const GB = 1e9
const HOUR = 3_600_000
const DAY = 24 * HOUR

it('the budget is 20 GB, or a tenth of a smaller disk, or what is set', () => {
  expect(diskBudget(null, 1000 * GB)).toBe(20 * GB)
  expect(diskBudget(null, 50 * GB)).toBe(5 * GB)
  expect(diskBudget(0, 50 * GB)).toBe(0)
  expect(diskBudget(100 * GB, 50 * GB)).toBe(100 * GB)
})

it('what was measured holds a day where nothing happens, and an hour where something does', () => {
  const measured = { bytes: 1, at: 100 * DAY }
  const after = (ms: number, changedAt: number) => isFresh(measured, changedAt, measured.at + ms)
  expect([after(DAY - 1, 0), after(DAY, 0)]).toEqual([true, false])
  expect([after(HOUR - 1, Infinity), after(HOUR, Infinity)]).toEqual([true, false])
  // A task ended there since.
  expect(after(2 * HOUR, measured.at + HOUR)).toBe(false)
  // The clock was set back.
  expect(after(-1, 0)).toBe(false)
})

it('no more is chosen than it takes', () => {
  const build = (bytes: number) => ({ kind: 'build_output', bytes }) as const
  const raw = (bytes: number) => ({ kind: 'raw_output', bytes }) as const
  const all = [build(10), build(10), raw(10)]
  expect(chooseReclaim(all, 0)).toEqual({ chosen: [], over: 0 })
  expect(chooseReclaim(all, -5)).toEqual({ chosen: [], over: -5 })
  expect(chooseReclaim(all, 11)).toEqual({ chosen: [build(10), build(10)], over: -9 })
  // Compressed, something is left of it.
  expect(chooseReclaim(all, 30)).toEqual({ chosen: all, over: 2 })
})

it('is warned of at four fifths of the budget, and where the disk is nearly full', () => {
  const room = { freeBytes: 100 * GB, totalBytes: 500 * GB }
  expect(diskWarning(null, 20 * GB, room)).toBeNull()
  expect(diskWarning(15.9 * GB, 20 * GB, room)).toBeNull()
  expect(diskWarning(16 * GB, 20 * GB, room)).toBe('16 GB of 20 GB are used')
  expect(diskWarning(null, 20 * GB, { ...room, freeBytes: 0.9 * GB })).toMatch(/900 MB are free/)
  // A small disk need not have a gigabyte free.
  expect(diskWarning(null, GB, { freeBytes: 0.3 * GB, totalBytes: 4 * GB })).toBeNull()
})

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1234, '1.2 kB'],
  [56_789, '57 kB'],
  [20e9, '20 GB'],
])('%s bytes are shown as %s', (bytes, text) => expect(shownBytes(bytes)).toBe(text))

it.each([
  ['not ended', null, false, 'stays'],
  ['not ended, over budget', null, true, 'stays'],
  ['just ended', 0, false, 'stays'],
  ['just ended, over budget', 0, true, 'compress'],
  ['a day', DAY, false, 'compress'],
  ['thirty days', 30 * DAY, false, 'drop'],
] as const)('raw output, %s ago: %s, %s: %s', (_, age, isTight, fate) => {
  const state = { bytes: 10, compressible: 10, isDropped: false }
  const now = 100 * DAY
  const endedAt = age === null ? null : now - age
  expect(decideRawOutput(state, endedAt, now, isTight)).toBe(fate)
  const packed = { ...state, compressible: 0 }
  expect(decideRawOutput(packed, endedAt, now, isTight)).toBe(fate === 'drop' ? 'drop' : 'stays')
  expect(decideRawOutput({ ...packed, bytes: 0 }, endedAt, now, isTight)).toBe('stays')
})

it('worktrees are made in advance only where others leave room, and the budget has room for them', () => {
  const use = {
    worktrees: 70,
    pool: 0,
    trash: 4,
    snapshots: 1,
    tasks: 3,
    rawOutput: 1,
    isWhole: true,
  }
  expect([0, 21, 22].map(pool => hasRoomForPool({ ...use, pool }, 100))).toEqual([
    true,
    true,
    false,
  ])
  expect(hasRoomForPool({ ...use, worktrees: 71 }, 100)).toBe(false)
})
