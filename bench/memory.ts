/** What a running task costs in memory beside its agent: all its other processes, their wrapper. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spreadOf } from './measure.ts'
import { listPids, type Place, readMark } from './place.ts'
import { readPss } from './process-costs.ts'
import { type Row, shownBytes, shownSpread, verdictOf } from './table.ts'

const BAR_BYTES = 3_000_000
const TASKS = 3

export async function measureMemory(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('small', 1_000)
  await using home = place.makeHome('memory')
  await home.startWorker(TASKS)
  const costs: number[] = []
  for (let i = 0; i < TASKS; i++) {
    const runDirectory = await home.submitSleeper(repository)
    // What launched it is gone a moment later.
    await place.pause(500)
    const agent = Number.parseInt(readFileSync(join(runDirectory, 'pid'), 'utf8'), 10)
    const mark = readMark(agent)
    if (mark === undefined) throw new Error('the agent process bears no mark')
    const others = listPids().filter(pid => pid !== agent && readMark(pid) === mark)
    if (others.length === 0) throw new Error('nothing holds the agent process')
    costs.push(others.reduce((sum, pid) => sum + readPss(pid), 0))
  }
  const cost = spreadOf(costs)
  return [
    {
      figure: 'a running task beside its agent',
      measured: `${shownBytes(cost.median)} PSS`,
      baseline: null,
      spread: shownSpread({ min: cost.min / 1e6, median: cost.median / 1e6, max: cost.max / 1e6 }),
      bar: `≤ ${shownBytes(BAR_BYTES)}`,
      verdict: verdictOf(cost.median, BAR_BYTES),
    },
  ]
}
