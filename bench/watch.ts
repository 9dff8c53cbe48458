/** What `watch` costs with 50 agents under way, each with a line of output every second. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { openSqliteStore } from '../src/store/sqlite-store.ts'
import { systemClock } from '../src/system-clock.ts'
import { listPids, type Place, RUN_COMMAND } from './place.ts'
import { readCpuTime } from './process-costs.ts'
import { type Row, verdictOf } from './table.ts'

const TASKS = 50
const WINDOW_MS = 20_000
const SETTLE_MS = 5_000
const LIMIT_MS = 120_000
const BAR_CPU = 0.02

/** Ends by itself after ten minutes. */
const AGENT = 'n=0; while [ $n -lt 600 ]; do n=$((n+1)); echo "line $n"; sleep 1; done'

export async function measureWatch(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('tiny', 20)
  await using home = place.makeHome('watch')
  await home.startWorker(TASKS)
  for (let n = 0; n < TASKS; n++) await home.ok(repository, ...RUN_COMMAND, '/bin/sh', '-c', AGENT)
  const store = await openSqliteStore(home.directory, systemClock)
  try {
    const count = () => store.countTasks(['running'])
    await place.until(`${TASKS} tasks run`, async () => (await count()) === TASKS, LIMIT_MS)
  } finally {
    await store.close()
  }

  // `script` (util-linux) gives it a terminal, which nobody looks at.
  const { argv, environment } = home.program(repository, 'watch')
  const shell = argv.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const options = {
    cwd: repository,
    env: { ...environment, TERM: 'xterm' },
    stdio: 'pipe',
  } as const
  const terminal = spawn('script', ['-qfc', `exec ${shell}`, '/dev/null'], options)
  terminal.stdout.resume()
  let pid: number | undefined
  await place.until('it is up', () => {
    pid = listPids().find(one => isWatching(one, argv))
    return pid !== undefined
  })
  if (pid === undefined) throw new Error('it is up')
  await place.pause(SETTLE_MS)
  const start = performance.now()
  const before = readCpuTime(pid)
  await place.pause(WINDOW_MS)
  const after = readCpuTime(pid)
  const seconds = (performance.now() - start) / 1_000
  terminal.stdin.end('q')
  const share = (after.user - before.user + after.system - before.system) / seconds
  return [
    {
      figure: `\`watch\`, CPU time with ${TASKS} running tasks`,
      measured: `${(share * 100).toFixed(1)} % of a core`,
      baseline: null,
      spread: null,
      bar: `≤ ${BAR_CPU * 100} %`,
      verdict: verdictOf(share, BAR_CPU),
    },
  ]
}

/** The program itself: those around it have its words as one. */
function isWatching(pid: number, argv: readonly string[]): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${argv.join('\0')}\0`
  } catch {
    return false // It is gone, or nobody's to look at.
  }
}
