/** Waits that outlast workers and machines, on a clock of our own. */
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultBounds } from '../../src/domain/configuration.ts'
import { makeTaskId } from '../../src/domain/ids.ts'
import { DEFAULT_PORTS } from '../../src/domain/port-blocks.ts'
import { DEFAULT_LIMITS_MS } from '../../src/domain/set-up.ts'
import { plainRequest, type Task } from '../../src/domain/task.ts'
import { handIn } from '../../src/engine/hand-in.ts'
import { planSubmission } from '../../src/engine/submit.ts'
import { makeTicker } from '../../src/engine/ticker.ts'
import { work } from '../../src/engine/work.ts'
import { systemClock } from '../../src/system-clock.ts'
import { eventually } from '../eventually.ts'
import { makeScene } from './scene.ts'

const HOUR = 3_600_000

/** Is used up for a week, as Codex says it; then it does its work. */
const CODEX = `#!/bin/sh
if [ "$1" = --version ]; then echo 'codex-cli 0.169.0'; exit; fi
cat >/dev/null
echo "$*" >>"$HOME/asked"
echo '{"type":"thread.started","thread_id":"s-1"}'
echo '{"type":"turn.started"}'
if [ ! -e "$HOME/reset" ]; then
  echo '{"type":"turn.failed","error":{"message":"You have hit your usage limit. Try again in 7 days."}}'
  exit 1
fi
echo '{"type":"item.completed","item":{"type":"agent_message","text":"at last"}}'
echo '{"type":"turn.completed"}'
`

test('a task that is parked for 7 days, 12 hours of them with the machine off, then goes on', async () => {
  const { holdfast, repo, ports } = await makeScene()
  const { store } = ports
  const scratch = join(repo, '..')
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'codex'), CODEX)
  chmodSync(join(bin, 'codex'), 0o755)

  const { priority, after, timeoutMs, stallMs, maxFailures, budget, asks } = plainRequest(
    makeTaskId(randomBytes(16)),
  )
  let ahead = 0
  const clock = { ...systemClock, now: () => Date.now() + ahead }
  const plan = await planSubmission(
    {
      ...{ priority, after, timeoutMs, stallMs, maxFailures, budget, asks },
      agent: await holdfast.agent('codex'),
      prompt: Buffer.from('do it'),
      argv: [],
      retryOnCrash: false,
      model: null,
      effort: null,
      outputSchema: null,
      permissions: null,
      bounds: defaultBounds.capture,
      setUp: {
        commands: { 'set-up': undefined, 'clean-up': undefined, verify: undefined },
        limits: DEFAULT_LIMITS_MS,
        directories: [],
        bounds: defaultBounds.include,
      },
      caller: { kind: 'program', id: null, directory: repo },
      callerEnvironment: { PATH: `${bin}:${process.env.PATH}`, HOME: scratch, CODEX_API_KEY: 'k' },
      umask: 0o022,
      name: null,
      place: { kind: 'own' },
      changes: 'all',
      revision: null,
      fallback: [],
      idempotencyKey: null,
      notify: [],
      oneShot: true,
    },
    {
      ...ports,
      trust: await holdfast.trust(),
      confinement: await holdfast.confinement(),
      home: holdfast.home,
      hash: text => createHash('sha256').update(text).digest('hex'),
    },
  )
  if ('handedInBefore' in plan) throw new Error('a new task is new')
  const { task } = await handIn(plan, { ...ports, randomBytes })
  const { id } = task.request

  /** A worker for as long as `until` takes. */
  const attend = async (until: () => Promise<unknown>) => {
    const leave = new AbortController()
    const ticker = makeTicker()
    const host = await holdfast.host()
    const working = work(
      {
        slots: 1,
        idleMs: HOUR,
        log: () => undefined,
        keepHouse: async () => [],
        leave: leave.signal,
      },
      {
        ...ports,
        clock,
        host,
        ticker,
        confinement: await holdfast.confinement(),
        snapshotEveryMs: 0,
        findAgent: holdfast.agent,
        channels: await holdfast.channels(),
        tokens: await holdfast.callerTokens(),
        portRange: DEFAULT_PORTS,
        agentHomes: 'shared',
      },
    )
    try {
      await until()
    } finally {
      leave.abort()
      ticker.wake()
      await working
      ticker.stop()
    }
  }
  const untilState = (name: Task['state']['name']) =>
    eventually(name, async () => (await store.findTask(id))?.state.name === name)
  const asked = () => readFileSync(join(scratch, 'asked'), 'utf8').trim().split('\n')

  const begun = Date.now()
  await attend(() => untilState('waiting'))
  const parked = await store.findTask(id)
  if (parked?.state.name !== 'waiting' || parked.state.wait.reason !== 'usage_limit') {
    throw new Error('it is parked')
  }
  const { until } = parked.state.wait
  expect(until).toBeGreaterThanOrEqual(begun + 7 * 24 * HOUR)

  // A worker that is up all the time does not try before the time has come.
  ahead = 6.5 * 24 * HOUR
  await attend(async () => {
    const seen = store.changeCounter()
    expect(await store.nextWake()).toBe(until)
    expect(store.changeCounter()).toBe(seen)
  })
  expect(asked()).toHaveLength(1)

  // The machine is off when it comes, and for half a day.
  writeFileSync(join(scratch, 'reset'), '')
  ahead = 7 * 24 * HOUR + 12 * HOUR
  await attend(() => untilState('succeeded'))
  const done = await store.findTask(id)
  expect(done).toMatchObject({
    attempts: 2,
    session: 's-1',
    state: { result: { answer: 'at last' } },
  })
  expect(asked()[1]).toContain('resume')
  expect(existsSync(done?.worktree?.path ?? '')).toBe(true)
  await holdfast.close()
})
