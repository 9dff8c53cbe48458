/** How soon what was killed goes on, how fast what agents say is taken, and what a long queue costs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSqliteStore } from '../src/store/sqlite-store.ts'
import { systemClock } from '../src/system-clock.ts'
import { spreadOf } from './measure.ts'
import type { Home, Place } from './place.ts'
import { RUN_COMMAND } from './place.ts'
import { readCpuTime } from './process-costs.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

const FILES = 20
const LIMIT_MS = 120_000

const RUNNING = 200
const ADOPTED_BAR_MS = 2_000
/** Says something so often that its first word after the worker's start comes soon. */
const TALKER = 'while :; do echo line; sleep 0.4; done'

const DEATHS = 5
const NEXT_TRY_BAR_MS = 3_500

const LINES = 100_000
const LINES_BAR = 20_000

const QUEUED = 1_000
const QUEUE_WINDOW_MS = 20_000
/** What a worker with nothing in its queue spends is told beside it. */
const QUEUE_BAR = 0.001

export async function measureRecovery(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('tiny', FILES)
  return [
    await measureAdoption(place, repository),
    await measureNextTry(place, repository),
    await measureIngest(place, repository),
    await measureQueue(place, repository),
  ]
}

/** Adopted is what the worker has taken a line of since it was started. */
async function measureAdoption(place: Place, repository: string): Promise<Row> {
  await using home = place.makeHome('adoption')
  const rounds: number[] = []
  const first = await home.startWorker(RUNNING)
  const ids: string[] = []
  for (let n = 0; n < RUNNING; n++) {
    ids.push((await home.ok(repository, ...RUN_COMMAND, '/bin/sh', '-c', TALKER)).trim())
  }
  const store = await openSqliteStore(home.directory, systemClock)
  try {
    const all = async () => (await store.countTasks(['running'])) === RUNNING
    await place.until(`${RUNNING} tasks run`, all, LIMIT_MS)
    let pid = first
    for (let round = 0; round < 3; round++) {
      await home.killWorker(pid)
      const seen = new Map<string, number>()
      for (const task of await store.listTasks({})) {
        seen.set(task.request.id, (await store.lastEvents(task.request.id, 1))[0]?.seq ?? 0)
      }
      const start = performance.now()
      const started = home.startWorker(RUNNING)
      const isAdopted = async () => {
        for (const [id, seq] of seen) {
          const [last] = await store.lastEvents(id as never, 1)
          if ((last?.seq ?? 0) <= seq) return false
          seen.delete(id)
        }
        return true
      }
      await place.until('all are adopted', isAdopted, LIMIT_MS)
      rounds.push(performance.now() - start)
      pid = await started
    }
  } finally {
    await store.close()
  }
  const spread = spreadOf(rounds)
  return {
    figure: `kill -9 of the worker with ${RUNNING} running tasks: start → all adopted`,
    measured: shownMs(spread.median),
    baseline: null,
    spread: shownSpread(spread, 0),
    bar: `≤ ${shownMs(ADOPTED_BAR_MS)}`,
    verdict: verdictOf(spread.median, ADOPTED_BAR_MS),
  }
}

async function measureNextTry(place: Place, repository: string): Promise<Row> {
  await using home = place.makeHome('death')
  await home.startWorker(1)
  const rounds: number[] = []
  for (let n = 0; n < DEATHS; n++) {
    const command = [...RUN_COMMAND.slice(0, 2), '--retry-on-crash', ...RUN_COMMAND.slice(2)]
    const id = (await home.ok(repository, ...command, '/bin/sleep', '600')).trim()
    const pidOf = (fence: number) => readPid(home, id, fence)
    await place.until('the agent runs', () => pidOf(1) !== undefined)
    const start = performance.now()
    process.kill(pidOf(1) ?? 0, 'SIGKILL')
    await place.until('the next try runs', () => pidOf(2) !== undefined)
    rounds.push(performance.now() - start)
    await home.ok(repository, 'cancel', id)
  }
  const spread = spreadOf(rounds)
  return {
    figure: 'kill -9 of an agent → its next try runs',
    measured: shownMs(spread.median),
    baseline: null,
    spread: shownSpread(spread, 0),
    bar: `≤ ${shownMs(NEXT_TRY_BAR_MS)}`,
    verdict: verdictOf(spread.max, NEXT_TRY_BAR_MS),
  }
}

/** A program named `codex` that says a hundred thousand things and ends its turn. */
async function measureIngest(place: Place, repository: string): Promise<Row> {
  const tools = join(place.scratch, 'talkative')
  const home = await prepareTalker(place, tools)
  await using _ = home
  await home.startWorker(1)
  const id = (await home.ok(repository, 'run', '-a', 'codex', 'say it all')).trim()
  const store = await openSqliteStore(home.directory, systemClock)
  try {
    const task = () => store.findTask(id as never)
    await place.until(
      'it is done',
      async () => (await task())?.state.name === 'succeeded',
      LIMIT_MS,
    )
    let taken = 0
    let [from, to] = [0, 0]
    for (let after = 0; ; ) {
      const page = await store.listEvents(id as never, after, 5_000)
      if (page.length === 0) break
      for (const { body, at, seq } of page) {
        after = seq
        if (body.kind !== 'message_ended') continue
        taken++
        from ||= at
        to = at
      }
    }
    if (taken !== LINES) throw new Error(`${taken} of ${LINES} lines were taken`)
    const rate = LINES / ((to - from) / 1000)
    return {
      figure: `${LINES} lines of an agent, taken without losing one`,
      measured: `${rate.toFixed(0)} lines/s`,
      baseline: null,
      spread: null,
      bar: `≥ ${LINES_BAR} lines/s`,
      verdict: rate >= LINES_BAR ? 'ok' : 'MISSED',
    }
  } finally {
    await store.close()
  }
}

async function prepareTalker(place: Place, tools: string): Promise<Home> {
  const { mkdirSync } = await import('node:fs')
  mkdirSync(tools, { recursive: true })
  const line = (n: number) =>
    JSON.stringify({
      type: 'item.completed',
      item: { id: `item_${n}`, type: 'agent_message', text: `step ${n} of the way is done` },
    })
  const said = [
    '{"type":"thread.started","thread_id":"00000000-0000-0000-0000-000000000001"}',
    '{"type":"turn.started"}',
    ...Array.from({ length: LINES }, (_, n) => line(n)),
    '{"type":"turn.completed","usage":{"input_tokens":1,"cached_input_tokens":0,"output_tokens":1}}',
  ]
  writeFileSync(join(tools, 'said'), `${said.join('\n')}\n`)
  const script = `#!/bin/sh\n[ "$1" = --version ] && { echo codex-cli 0.169.0; exit; }\n[ "$1" = login ] && exit 0\ncat >/dev/null\nexec cat '${tools}/said'\n`
  writeFileSync(join(tools, 'codex'), script, { mode: 0o755 })
  return place.makeHome('ingest', { PATH: `${tools}:${place.environment.PATH}` })
}

/** The worker has one agent that sleeps; the queue waits behind it. */
async function measureQueue(place: Place, repository: string): Promise<Row> {
  await using home = place.makeHome('queue')
  const pid = await home.startWorker(1)
  await home.submitSleeper(repository)
  const spend = async () => {
    const before = readCpuTime(pid)
    const start = performance.now()
    await place.pause(QUEUE_WINDOW_MS)
    const after = readCpuTime(pid)
    const used = after.user - before.user + after.system - before.system
    return used / ((performance.now() - start) / 1000)
  }
  await place.pause(5_000)
  const without = await spend()
  const store = await openSqliteStore(home.directory, systemClock)
  try {
    const [model] = await store.listTasks({})
    if (model === undefined) throw new Error('there is no task')
    for (let n = 0; n < QUEUED; n++) {
      const id = `q${String(n).padStart(9, '0')}` as typeof model.request.id
      const workplace = { ...model.request.workplace, id: id as never }
      await store.submitTask({ ...model.request, id, workplace })
    }
  } finally {
    await store.close()
  }
  await place.pause(2_000)
  const more = (await spend()) - without
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  return {
    figure: `the worker's CPU time for ${QUEUED} queued tasks`,
    measured: `${percent(Math.max(0, more))} of a core`,
    baseline: `${percent(without)} without`,
    spread: null,
    bar: 'not measurable',
    verdict: verdictOf(more, QUEUE_BAR),
  }
}

function readPid(home: Home, id: string, fence: number): number | undefined {
  try {
    const file = join(home.directory, 'tasks', id, 'runs', String(fence), 'pid')
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined
  } catch {
    // Not written yet.
    return undefined
  }
}
