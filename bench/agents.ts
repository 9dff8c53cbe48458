/** How fast what agents say is understood, and how soon it is seen. */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { agents } from '../src/agents/index.ts'
import { spreadOf } from './measure.ts'
import type { Place } from './place.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

const TRANSCRIPTS = fileURLToPath(new URL('../test/transcripts', import.meta.url))

const STREAM_BYTES = 32_000_000
const STREAM_BAR_MBS = 50
/** What people hand to agents has files and test runs in it: the recordings are of a few words. */
const OUTPUT = 'src/some/file.ts:17: a line of what a tool printed, as long as such lines are\n'

const UPDATES = 2_000
const LINEAR_BAR = 3

const LINES = 60
const EVERY_MS = 150
const SEEN_BAR_MS = 50

export async function measureAgents(place: Place): Promise<readonly Row[]> {
  return [
    await measureStream('codex', { aggregated_output: OUTPUT.repeat(20) }),
    await measureStream('claude', {}),
    await measureUpdates(),
    await measureSeen(place),
  ]
}

/** The lines of an agent's recordings that ended well, again and again. */
async function measureStream(name: 'codex' | 'claude', more: object): Promise<Row> {
  const directory = join(TRANSCRIPTS, name)
  const recorded = readdirSync(directory)
    .filter(file => /^(?:success|tools|subagent|file_change)\.jsonl$/.test(file))
    .flatMap(file => readFileSync(join(directory, file), 'utf8').trim().split('\n'))
    .map(line => enlarge(line, more))
  const bytes = recorded.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
  const { translator } = await agents[name]()
  const rounds: number[] = []
  for (let round = 0; round < 5; round++) {
    let state = translator.initial
    let taken = 0
    const start = performance.now()
    for (; taken < STREAM_BYTES; taken += bytes) {
      for (const line of recorded) state = translator.translate(state, line).state
    }
    rounds.push(taken / 1e6 / ((performance.now() - start) / 1000))
  }
  const spread = spreadOf(rounds)
  return {
    figure: `lines of ${name} (${Math.round(bytes / recorded.length)} bytes each), translated`,
    measured: `${spread.median.toFixed(0)} MB/s`,
    baseline: null,
    spread: shownSpread(spread, 0),
    bar: `≥ ${STREAM_BAR_MBS} MB/s`,
    verdict: spread.median >= STREAM_BAR_MBS ? 'ok' : 'MISSED',
  }
}

function enlarge(line: string, more: object): string {
  const value = JSON.parse(line)
  if (value.item?.type !== 'command_execution') return line
  return JSON.stringify({ ...value, item: { ...value.item, ...more } })
}

/** Each update of Pi's repeats all of the message: twice as many are four times as many bytes. */
async function measureUpdates(): Promise<Row> {
  const { translator } = await agents.pi()
  const time = (count: number) => {
    const lines = Array.from({ length: count }, (_, n) =>
      JSON.stringify({
        type: 'message_update',
        assistantMessageEvent: { type: 'text_delta', delta: 'word ' },
        message: { role: 'assistant', content: [{ type: 'text', text: 'word '.repeat(n) }] },
      }),
    )
    const start = performance.now()
    // Once would be over too soon to be measured.
    for (let again = 0; again < 20; again++) {
      let state = translator.initial
      for (const line of lines) state = translator.translate(state, line).state
    }
    return performance.now() - start
  }
  time(UPDATES)
  const ratios = Array.from({ length: 5 }, () => time(2 * UPDATES) / time(UPDATES))
  const spread = spreadOf(ratios)
  return {
    figure: `${2 * UPDATES} updates of one message of pi's, against ${UPDATES}`,
    measured: `${spread.median.toFixed(1)} × the time`,
    baseline: null,
    spread: shownSpread(spread),
    bar: `≤ ${LINEAR_BAR} (linear: 2)`,
    verdict: verdictOf(spread.median, LINEAR_BAR),
  }
}

/** A program that writes what time it is; and how late `logs -f` prints it. */
async function measureSeen(place: Place): Promise<Row> {
  const repository = await place.repository('tiny', 20)
  await using home = place.makeHome('seen')
  await home.startWorker(1)
  const tools = join(place.scratch, 'telling')
  mkdirSync(tools, { recursive: true })
  const program = join(tools, 'tell.mjs')
  writeFileSync(
    program,
    `import { writeSync } from 'node:fs'
for (let n = 0; n < ${LINES}; n++) {
  writeSync(1, 'at ' + Date.now() + '\\n')
  await new Promise(resolve => setTimeout(resolve, ${EVERY_MS}))
}`,
  )
  const command = ['run', '--permissions', 'full', 'command', '--', process.execPath, program]
  const id = (await home.ok(repository, ...command)).trim()
  const late: number[] = []
  const { argv, environment } = home.program(repository, 'logs', '-f', id)
  const [node = '', ...words] = argv
  const logs = spawn(node, words, { env: environment, cwd: repository })
  let rest = ''
  logs.stdout.setEncoding('utf8').on('data', (text: string) => {
    const now = Date.now()
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const said = /at (\d{13})$/.exec(line)?.[1]
      if (said !== undefined) late.push(now - Number(said))
    }
  })
  await new Promise(resolve => logs.once('close', resolve))
  // The first few were written before anybody looked.
  const spread = spreadOf(late.slice(10))
  return {
    figure: "from an agent's write to `logs -f`",
    measured: shownMs(spread.median),
    baseline: null,
    spread: shownSpread(spread, 0),
    bar: `≤ ${SEEN_BAR_MS} ms`,
    verdict: verdictOf(spread.median, SEEN_BAR_MS),
  }
}
