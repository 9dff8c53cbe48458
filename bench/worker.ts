/** What the worker costs with 200 agents under way, each with a line of output every two seconds. */
import { openSqliteStore } from '../src/store/sqlite-store.ts'
import { systemClock } from '../src/system-clock.ts'
import { type Home, type Place, RUN_COMMAND } from './place.ts'
import { readCpuTime, readPss, readRss } from './process-costs.ts'
import { type Row, shownBytes, verdictOf } from './table.ts'

const TASKS = 200
const AT_ONCE = 4
const FILES = 20
const WINDOW_MS = 30_000
/** What starting 200 agents leaves to be done is done, and collected as garbage, by then. */
const SETTLE_MS = 5_000
const LIMIT_MS = 120_000

const BAR_BYTES = 90_000_000
const BAR_CPU = 0.01

/** Ends by itself after ten minutes. */
const AGENT = 'n=0; while [ $n -lt 300 ]; do n=$((n+1)); echo "line $n"; sleep 2; done'

export async function measureWorker(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('tiny', FILES)
  await using home = place.makeHome('worker')
  const pid = await home.startWorker(TASKS)
  await submitAll(home, repository)
  await untilAllRun(place, home)
  await place.pause(SETTLE_MS)

  const start = performance.now()
  const before = readCpuTime(pid)
  await place.pause(WINDOW_MS)
  const after = readCpuTime(pid)
  const seconds = (performance.now() - start) / 1000
  const user = (after.user - before.user) / seconds
  const system = (after.system - before.system) / seconds
  const [rss, pss] = [readRss(pid), readPss(pid)]
  return [
    {
      figure: `the worker's memory, ${TASKS} running tasks`,
      measured: `${shownBytes(rss)} RSS (${shownBytes(pss)} PSS)`,
      baseline: null,
      spread: null,
      bar: `≤ ${shownBytes(BAR_BYTES)}`,
      verdict: verdictOf(rss, BAR_BYTES),
    },
    {
      figure: `the worker's CPU time, ${TASKS} running tasks`,
      measured: `${percent(user + system)} of a core (${percent(user)} user, ${percent(system)} system)`,
      baseline: null,
      spread: null,
      bar: `≤ ${percent(BAR_CPU)}`,
      verdict: verdictOf(user + system, BAR_CPU),
    },
  ]
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`

async function submitAll(home: Home, repository: string): Promise<void> {
  let left = TASKS
  const submit = async () => {
    while (left-- > 0) {
      await home.ok(repository, ...RUN_COMMAND, '/bin/sh', '-c', AGENT)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, submit))
}

async function untilAllRun(place: Place, home: Home): Promise<void> {
  const store = await openSqliteStore(home.directory, systemClock)
  try {
    const count = () => store.countTasks(['running'])
    await place.until(`${TASKS} tasks run`, async () => (await count()) === TASKS, LIMIT_MS)
  } finally {
    await store.close()
  }
}
