/**
 * The kill matrix: `npm run test:faults`. Kills us at every step of a task's life, and looks whether
 * anything was lost. `--list` names the steps; words choose cases by what their names contain.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Ground } from './ground.ts'
import { type Case, cases, nameOf, pointsOf, steps } from './plan.ts'
import { play } from './play.ts'
import { type Played, reliabilityPage, totalsOf } from './report.ts'
import { Tally, writeLastWholeRun } from './tally.ts'

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
/** Most of the time is waiting: for a watchdog, for a resume. */
const AT_ONCE = 4 * availableParallelism()
const PAGE = new URL('../../docs/reliability.md', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean' },
    /** Plays each chosen case so often: for one that fails only now and then. */
    times: { type: 'string', default: '1' },
    /** Of a case that fails, everything is kept, for whoever looks into it. */
    keep: { type: 'boolean', default: false },
    /** What each comes to is added to this file; what it holds already is not played again. */
    into: { type: 'string' },
  },
})
if (values.list) list()
else {
  const chosen = cases.filter(one => positionals.every(word => isMeant(nameOf(one), word)))
  if (chosen.length === 0) throw new Error(`no kill has a name with ${positionals.join(' and ')}`)
  const times = Number(values.times)
  const isWhole = chosen.length === cases.length && times === 1
  await run(Array.from({ length: times }, () => chosen).flat(), isWhole)
}

/** `!word`: those without it. */
function isMeant(name: string, word: string): boolean {
  return word.startsWith('!') ? !name.includes(word.slice(1)) : name.includes(word)
}

function list(): void {
  for (const [step, points] of Object.entries(steps)) {
    console.log(`\n${step}`)
    for (const [point, about] of Object.entries(points)) {
      const count = cases.filter(one => one.point === point).length
      console.log(`  ${point.padEnd(32)} ${String(count).padStart(3)} ×  ${about}`)
    }
  }
  const points = Object.keys(steps).flatMap(pointsOf)
  console.log(`\n${points.length} points, ${cases.length} cases`)
}

async function run(chosen: readonly Case[], isWhole: boolean): Promise<void> {
  const began = performance.now()
  const ground = new Ground(
    values.keep ? mkdtempSync(join(tmpdir(), 'holdfast-faults-kept-')) : undefined,
  )
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      ground.abandon()
      console.error('interrupted; nothing is left running')
      process.exit(128 + number)
    })
  }
  const tally = values.into === undefined ? undefined : new Tally(values.into)
  const toPlay = chosen.filter(one => tally?.has(one) !== true)
  const left = [...toPlay]
  const played: Played[] = []
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const { complaints, lostTasks, lostBytes, ms } = await play(one, ground)
      const survived = complaints.length === 0
      played.push({ one, survived, lostTasks, lostBytes })
      tally?.add({ one, survived, lostTasks, lostBytes })
      const count = `${played.length}/${toPlay.length}`
      console.log(
        `${survived ? 'ok  ' : 'FAIL'} ${count} ${nameOf(one)} (${(ms / 1000).toFixed(1)} s)`,
      )
      for (const text of complaints) console.log(`     ${text.replaceAll('\n', '\n     ')}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    ground.leave()
  }
  const whole = tally === undefined ? (isWhole ? played : undefined) : tally.wholeOf(cases)
  if (whole !== undefined) writeFileSync(PAGE, reliabilityPage(cases, writeLastWholeRun(whole)))
  const { points, cases: count, survived, lostTasks, lostBytes } = totalsOf(played)
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  console.log(
    `${points} points, ${count} kills, ${survived} survived; tasks lost: ${lostTasks}; bytes of work lost: ${lostBytes}; ${seconds} s`,
  )
  const fell = whole === undefined ? [] : whole.filter(({ survived }) => !survived)
  if (survived < count || fell.length > 0) process.exitCode = 1
}
