import { expect, test } from 'vitest'
import { parseStat } from '../../../src/process/linux/stat.ts'

test.each([
  ['sh', '7 (sh) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 18446744073709551615'],
  ['a) Z (b', '7 (a) Z (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 1844674407370'],
  ['two words\n', '7 (two words\n) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0 184467'],
])('a stat line is counted from the last parenthesis (%j)', (name, line) => {
  expect(parseStat(line)).toEqual({
    pid: 7,
    name,
    state: 'S',
    parent: 1,
    group: 7,
    session: 7,
    terminal: false,
    startTime: 4711,
    ticks: 26,
  })
})

test.each(['', '7', '7 (sh) S 1 7'])('what is no stat line is undefined (%j)', line => {
  expect(parseStat(line)).toBeUndefined()
})
