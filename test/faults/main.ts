/**
 * The kill matrix: `npm run test:faults`. Kills us at every step of a task's life, and looks whether
 * anything was lost. `--list` names the steps; words choose cases by what their names contain.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Ground } from './ground.ts'
import { type Case, cases, nameOf, pointsOf, steps } from './plan.ts'
import { type Outcome, play } from './play.ts'

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
/** Most of the time is waiting: for a watchdog, for a resume. */
const AT_ONCE = 4 * availableParallelism()

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean' },
    /** Plays each chosen case so often: for one that fails only now and then. */
    times: { type: 'string', default: '1' },
  },
})
if (values.list) list()
else {
  const chosen = cases.filter(one => positionals.every(word => isMeant(nameOf(one), word)))
  await run(Array.from({ length: Number(values.times) }, () => chosen).flat())
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

async function run(chosen: readonly Case[]): Promise<void> {
  const began = performance.now()
  const ground = new Ground()
  let interrupted = false
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      interrupted = true
      process.exitCode = 128 + number
    })
  }
  const left = [...chosen]
  const outcomes: { one: Case; outcome: Outcome }[] = []
  const work = async () => {
    for (let one = left.shift(); one !== undefined && !interrupted; one = left.shift()) {
      const outcome = await play(one, ground)
      outcomes.push({ one, outcome })
      const ok = outcome.complaints.length === 0
      const seconds = (outcome.ms / 1000).toFixed(1)
      const count = `${outcomes.length}/${chosen.length}`
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${count} ${nameOf(one)} (${seconds} s)`)
      for (const text of outcome.complaints) console.log(`     ${text.replaceAll('\n', '\n     ')}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    ground.leave()
  }
  const sum = (pick: (outcome: Outcome) => number) =>
    outcomes.reduce((total, { outcome }) => total + pick(outcome), 0)
  const points = new Set(outcomes.map(({ one }) => one.point)).size
  const survived = sum(({ complaints }) => (complaints.length === 0 ? 1 : 0))
  const lost = `tasks lost: ${sum(({ lostTasks }) => lostTasks)}; bytes of work lost: ${sum(({ lostBytes }) => lostBytes)}`
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  console.log(
    `${points} points, ${outcomes.length} cases, ${survived} survived; ${lost}; ${seconds} s`,
  )
  if (survived < outcomes.length) process.exitCode ??= 1
}
