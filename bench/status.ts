/** Looking, with a long past: 10,000 tasks that have ended over a month, and five that wait. */
import { randomBytes } from 'node:crypto'
import { asFence, type CommitId, makeTaskId, worktreeIdOf } from '../src/domain/ids.ts'
import { plainRequest, type TaskRequest, type TaskState } from '../src/domain/task.ts'
import { openDatabase } from '../src/store/open.ts'
import { interleave, spreadOf, timeProgram } from './measure.ts'
import { type Place, RUN_COMMAND } from './place.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

const ROUNDS = { count: 25, warmUp: 3 }
const BAR = 1.6
const ENDED = 10_000
const QUEUED = 5
const PAST_MS = 30 * 24 * 3_600_000
const EVENTS_PER_TASK = 8
const TASKS_PER_INSERT = 100

export async function measureStatus(place: Place): Promise<readonly Row[]> {
  const repository = await place.repository('small', 1_000)
  await using home = place.makeHome('status')
  await writePast(home.directory, repository)
  await home.startBusyWorker(repository)
  for (let i = 0; i < QUEUED; i++) await home.ok(repository, ...RUN_COMMAND, 'true')

  const rounds = await interleave(
    {
      node: () => timeProgram(place.node(repository)),
      status: () => timeProgram(home.program(repository, 'status', '--json')),
    },
    { ...ROUNDS, signal: place.signal },
  )
  const ratio = spreadOf(rounds.map(({ status, node }) => status / node))
  return [
    {
      figure: `\`status --json\`, ${ENDED.toLocaleString('en')} ended tasks, ${QUEUED} queued`,
      measured: shownMs(spreadOf(rounds.map(({ status }) => status)).median),
      baseline: `node ${shownMs(spreadOf(rounds.map(({ node }) => node)).median)}`,
      spread: shownSpread(ratio),
      bar: `≤ ${BAR} × node`,
      verdict: verdictOf(ratio.median, BAR),
    },
  ]
}

/** One transaction, straight into the tables: through `run` it would take half an hour. */
async function writePast(home: string, repository: string): Promise<void> {
  const { raw, db } = await openDatabase(home)
  try {
    const now = Date.now()
    await db.transaction().execute(async transaction => {
      for (let first = 0; first < ENDED; first += TASKS_PER_INSERT) {
        const past = Array.from({ length: TASKS_PER_INSERT }, (_, i) => {
          const endedAt = now - Math.round(((ENDED - first - i) / ENDED) * PAST_MS)
          return makePastTask(first + i, endedAt, home, repository)
        })
        await transaction
          .insertInto('worktrees')
          .values(past.map(({ worktree }) => worktree))
          .execute()
        await transaction
          .insertInto('tasks')
          .values(past.map(({ task }) => task))
          .execute()
        await transaction
          .insertInto('attempts')
          .values(past.map(({ attempt }) => attempt))
          .execute()
        await transaction
          .insertInto('events')
          .values(past.flatMap(({ events }) => events))
          .execute()
      }
    })
    // As a store is after a month, not in the second after a mass insertion.
    raw.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    raw.close()
  }
}

function makePastTask(number: number, endedAt: number, home: string, root: string) {
  const id = makeTaskId(randomBytes(16))
  const worktree = worktreeIdOf(id)
  const createdAt = endedAt - 300_000
  const startedAt = endedAt - 290_000
  const fence = asFence(1)
  const commonDir = `${root}/.git`
  const request: TaskRequest = {
    ...plainRequest(id),
    id,
    name: `fix-the-failing-test-${number}`,
    agent: 'codex',
    model: null,
    effort: null,
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' },
    argv: [],
    retryOnCrash: false,
    repo: { root, commonDir, subdirectory: '' },
    base: { commit: madeUpCommit(), changes: null },
    caller: { kind: 'terminal', id: '/dev/pts/3', directory: root },
    createdAt,
  }
  const result = {
    answer: makeAnswer(number),
    commit: madeUpCommit(),
    files: 3,
    insertions: 42,
    deletions: 7,
    leftOut: [],
  }
  const failure = { code: 'model_error', message: 'the model answered with HTTP 500' } as const
  // One in ten fails.
  const state: TaskState =
    number % 10 === 0
      ? { name: 'failed', endedAt, failure, result }
      : { name: 'succeeded', endedAt, result }
  const body = { kind: 'output_given', text: result.answer.slice(0, 200) }
  return {
    worktree: {
      id: worktree,
      kind: 'managed' as const,
      path: `${home}/worktrees/${id}`,
      repository: commonDir,
      pinned: 0,
      created_at: createdAt,
      record_json: null,
    },
    task: {
      id,
      name: request.name,
      agent: request.agent,
      repository: commonDir,
      created_at: createdAt,
      request_json: JSON.stringify(request),
      state: state.name,
      state_since: endedAt,
      state_json: JSON.stringify(state),
      ended_at: endedAt,
      started_at: startedAt,
      attempts: fence,
      failures_in_row: 0,
      session: crypto.randomUUID(),
      usage_json: JSON.stringify({
        inputTokens: 120_000,
        cachedInputTokens: 90_000,
        outputTokens: 4_000,
        costUsd: null,
      }),
      worktree,
      last_seq: EVENTS_PER_TASK,
    },
    attempt: {
      task: id,
      fence,
      mode: 'fresh' as const,
      started_at: startedAt,
      ended_at: endedAt,
      ending: state.name,
      stdout_offset: 8_000,
      stdout_lines: 0,
      translation_json: null,
    },
    events: Array.from({ length: EVENTS_PER_TASK }, (_, seq) => ({
      task: id,
      seq: seq + 1,
      at: startedAt + seq * 1_000,
      fence,
      kind: body.kind,
      body_json: JSON.stringify(body),
    })),
  }
}

const madeUpCommit = () => randomBytes(20).toString('hex') as CommitId

/** About 1 kB, with the line ends and quotes that JSON has to escape. */
function makeAnswer(number: number): string {
  const line = `- src/part-${number % 50}/file.ts: "parse" now refuses an empty line, with a test.\n`
  return `The failing test passes now. What I changed:\n\n${line.repeat(12)}`
}
