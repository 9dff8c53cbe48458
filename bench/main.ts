/**
 * Measures what Holdfast costs, and prints a table: `npm run bench`, or `npm run bench -- status`
 * for some figures only. It is no test: a bar that was missed is shown, and the exit code is 0.
 * Leave some minutes between two benches: the first one's 300,000 files have just been removed, and
 * ext4 then makes new files, git's and ours, up to ten times more slowly.
 */
import { availableParallelism, loadavg } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { measureAgents } from './agents.ts'
import { measureDialogue } from './dialogue.ts'
import { measureExec } from './exec.ts'
import { measureMemory } from './memory.ts'
import { Place } from './place.ts'
import { measureRecovery } from './recovery.ts'
import { measureRun } from './run.ts'
import { measureStatus } from './status.ts'
import { drawTable, type Figure, type Row, rowWithout } from './table.ts'
import { measureWatch } from './watch.ts'
import { measureWorker } from './worker.ts'
import { measureWorktrees } from './worktrees.ts'

const figures: Readonly<Record<string, Figure<Place>>> = {
  run: measureRun,
  status: measureStatus,
  exec: measureExec,
  memory: measureMemory,
  worker: measureWorker,
  watch: measureWatch,
  recovery: measureRecovery,
  agents: measureAgents,
  dialogue: measureDialogue,
  worktrees: measureWorktrees,
}

const shownLoad = () => loadavg().map(load => load.toFixed(1))[0]

async function bench(names: readonly string[], signal: AbortSignal): Promise<readonly Row[]> {
  await using place = new Place(signal)
  const rows: Row[] = []
  for (const [name, measure] of Object.entries(figures)) {
    if (!names.includes(name)) continue
    const start = performance.now()
    console.error(`${name} … (load ${shownLoad()})`)
    try {
      rows.push(...(await measure(place)))
    } catch (error) {
      // An interrupt ends the program that is being waited for first; then it is heard here.
      await setImmediate()
      if (signal.aborted) throw error
      console.error(error)
      rows.push(rowWithout(name, 'not measured', String(error)))
    }
    console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
  }
  return rows
}

const asked = process.argv.slice(2)
const unknown = asked.find(name => !(name in figures))
if (unknown !== undefined) {
  console.error(`no figure "${unknown}"; there are: ${Object.keys(figures).join(', ')}`)
  process.exit(2)
}
const interrupt = new AbortController()
for (const [name, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(name, () => {
    process.exitCode = 128 + number
    interrupt.abort()
  })
}
try {
  const rows = await bench(asked.length > 0 ? asked : Object.keys(figures), interrupt.signal)
  console.log(`${drawTable(rows)}\n`)
  console.log(
    `Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores, load ${shownLoad()}; medians of interleaved rounds.`,
  )
} catch (error) {
  if (!interrupt.signal.aborted) throw error
  console.error('interrupted; nothing is left running')
}
