/** How soon an agent that is talked to has what is said to it, beyond the time that it takes itself. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compose } from '../src/compose.ts'
import type { TaskId } from '../src/domain/ids.ts'
import { say } from '../src/engine/say.ts'
import { type Spread, spreadOf } from './measure.ts'
import type { Place } from './place.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

const MESSAGES = 40
const INTERRUPTS = 8
const HEARD_BAR_MS = 100
const STOPPED_BAR_MS = 200

/** Codex's app-server, as far as it is spoken to here: it takes no time for anything. */
const STAND_IN = `#!${process.execPath}
const write = message => process.stdout.write(JSON.stringify(message) + '\\n')
if (process.argv[2] === '--version') console.log('codex-cli 0.169.0')
if (process.argv[2] === 'app-server') {
  let rest = ''
  process.stdin.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\\n')
    rest = lines.pop()
    for (const line of lines) hear(JSON.parse(line))
  })
}
function hear({ id, method, params }) {
  const turn = { id: 'turn' }
  const threadId = 'thread'
  if (id !== undefined) write({ id, result: { thread: { id: threadId }, turn } })
  if (id === 'turn') write({ method: 'turn/started', params: { threadId, turn } })
  if (method === 'turn/start') {
    const item = { type: 'userMessage', id, clientId: params.clientUserMessageId }
    write({ method: 'item/completed', params: { threadId, item } })
  }
  if (method === 'turn/interrupt') {
    const ended = { ...turn, status: 'interrupted', at: Date.now() }
    write({ method: 'turn/completed', params: { threadId, turn: ended } })
  }
}
`

export async function measureDialogue(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('tiny', 20)
  const tools = join(place.scratch, 'talking')
  mkdirSync(tools, { recursive: true })
  writeFileSync(join(tools, 'codex'), STAND_IN)
  chmodSync(join(tools, 'codex'), 0o755)
  await using home = place.makeHome('dialogue', {
    PATH: `${tools}:${place.environment.PATH}`,
    CODEX_API_KEY: 'sk-none',
  })
  await home.startWorker(1)
  const holdfast = compose(home.environment, place.entry)
  try {
    const store = await holdfast.store()
    const presence = await holdfast.presence()
    const codex = await holdfast.agent('codex')
    const begin = async () => {
      const id = (await home.ok(repository, 'run', 'codex', 'x')).trim() as TaskId
      await place.until('it listens', async () => {
        return (
          (await store.findTask(id))?.state.name === 'running' &&
          saidBy(home, id).includes('turn/started')
        )
      })
      return id
    }
    const heard: number[] = []
    const first = await begin()
    const task = await store.findTask(first)
    for (let n = 1; task !== undefined && n <= MESSAGES; n++) {
      await say(task, `message ${n}`, codex, store, Date.now())
      await presence.ring()
      await place.until('it is heard', async () => {
        const { heardAt, sentAt } = (await store.listMessages(first))[n - 1] ?? {}
        if (heardAt != null && sentAt !== undefined) heard.push(heardAt - sentAt)
        return heard.length === n
      })
    }
    await home.ok(repository, 'cancel', first)
    const stopped: number[] = []
    for (let n = 0; n < INTERRUPTS; n++) {
      const id = await begin()
      const asked = Date.now()
      await store.transition(id, null, { kind: 'cancel_requested' }, asked)
      await presence.ring()
      await place.until('it stops', () => saidBy(home, id).includes('turn/completed'))
      stopped.push(Number(/"at":(\d+)/.exec(saidBy(home, id))?.[1]) - asked)
      await home.ok(repository, 'wait', id).catch(() => undefined) // Cancelled: exit 8.
    }
    return [
      row('from a message in the store to its being heard', spreadOf(heard), HEARD_BAR_MS),
      row('from a wish to cancel to a stopped turn', spreadOf(stopped), STOPPED_BAR_MS),
    ]
  } finally {
    await holdfast.close()
  }
}

const saidBy = (home: { runDirectory(id: string): string }, id: string) =>
  readFileSync(join(home.runDirectory(id), 'stdout'), 'utf8')

function row(figure: string, spread: Spread, bar: number): Row {
  return {
    figure,
    measured: shownMs(spread.median),
    baseline: null,
    spread: shownSpread(spread, 0),
    bar: `≤ ${bar} ms`,
    verdict: verdictOf(spread.median, bar),
  }
}
