/**
 * The soak: `npm run soak -- --tasks 500 --minutes 10 [--seed N]`. Programs that misbehave, kills of
 * everybody, people who cancel, resume and clear up, all at random and at once; at the end every task
 * is counted. Exit 1 on any violation.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '500' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    /** Leaves the state directory where it is if something is wrong. */
    keep: { type: 'boolean', default: false },
  },
})
const tasks = requireNumber('--tasks', values.tasks)
const minutes = requireNumber('--minutes', values.minutes)
const seed =
  values.seed === undefined ? Date.now() % 1_000_000 : requireNumber('--seed', values.seed)

const running = soak({ tasks, minutes, seed, keep: values.keep })
for (const [name, number] of Object.entries(SIGNALS)) {
  process.on(name, () => {
    running.abandon()
    console.error('interrupted; nothing is left running')
    process.exit(128 + number)
  })
}
console.log(`soak: ${tasks} tasks, ${minutes} min, seed ${seed}, load ${loadavg()[0]?.toFixed(1)}`)
const { lines, complaints } = await running.over
for (const line of lines) console.log(line)
for (const complaint of complaints) console.log(`VIOLATION ${complaint}`)
console.log(`soak: ${complaints.length} violations; seed ${seed}`)
process.exitCode = complaints.length === 0 ? 0 : 1

function requireNumber(flag: string, text: string): number {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  console.error(`${flag} takes a number above 0, and not "${text}"`)
  process.exit(2)
}
