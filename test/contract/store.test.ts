/** What every store must do. Run against each implementation. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import { CLOCK_SLACK_MS, waitIsOver } from '../../src/domain/backoff.ts'
import { MOST_DELEGATED } from '../../src/domain/delegation.ts'
import {
  asFence,
  asSessionId,
  type CommitId,
  makeTaskId,
  type TaskId,
  type WorktreeId,
  worktreeIdOf,
} from '../../src/domain/ids.ts'
import { plainRequest, type TaskRequest } from '../../src/domain/task.ts'
import type { ClaimedAttempt, Store } from '../../src/ports/store.ts'
import { openDatabase } from '../../src/store/open.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'

const stores: Record<string, (directory: string) => Promise<Store>> = {
  sqlite: directory => openSqliteStore(directory, systemClock),
}

let counter = 0
const open: Store[] = []
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
})

function request(facts: Partial<TaskRequest> = {}): TaskRequest {
  const random = new TextEncoder().encode(`${counter++}${Math.random()}`.padEnd(16, 'x'))
  const id = facts.id ?? makeTaskId(random)
  return {
    ...plainRequest(id),
    id,
    name: 'fix-it',
    agent: 'codex',
    model: null,
    effort: null,
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' },
    argv: [],
    retryOnCrash: false,
    repo: { root: '/r', commonDir: '/r/.git', subdirectory: '' },
    base: { commit: 'c'.repeat(40) as CommitId, changes: null },
    caller: { kind: 'program', id: null, directory: '/r' },
    createdAt: 1_000,
    ...facts,
  }
}

const snapshotOf = ({ fence }: ClaimedAttempt) => ({
  fence,
  number: 1,
  commit: 'c'.repeat(40) as CommitId,
  takenAt: 1,
  leftOut: ['a submodule'],
})

const result = {
  answer: 'done',
  commit: null,
  files: 1,
  insertions: 2,
  deletions: 3,
  leftOut: [],
}
const failure = { code: 'agent_crashed', message: 'killed' } as const
const translation = { session: asSessionId('s-1'), answer: null, usage: null, turn: null }
const activity = { activeMs: 10, fruitlessMs: 20 }
const usage = { inputTokens: 7, cachedInputTokens: 1, outputTokens: 3, costUsd: 0.5 }
const used = { spent: usage, usage }
const message: AgentEvent = { kind: 'message_ended', text: 'hello' }
const fresh = () => 'fresh' as const
const place = (id: WorktreeId) =>
  ({ id, kind: 'managed', path: '/w', commonDir: '/r/.git' }) as const

async function claim(store: Store, now = 2_000) {
  const claimed = await store.claimNext(now, fresh)
  if (claimed === undefined) throw new Error('there was nothing to claim')
  return claimed
}

async function idsNamed(store: Store, reference: string): Promise<string[]> {
  const found = await store.findTasksNamed(reference)
  return found.map(task => ('problem' in task ? `unreadable ${task.id}` : task.request.id))
}

describe.each(Object.entries(stores))('the %s store', (_, openStore) => {
  const make = async (directory = scratchDirectory()) => {
    const store = await openStore(directory)
    open.push(store)
    return store
  }

  test('records that a result was taken home, and given back', async () => {
    const store = await make()
    const { request: asked, taken } = await store.submitTask(request())
    expect(taken).toBeNull()
    const applied = { how: 'applied', at: 5_000, where: '/r', number: 1 } as const
    await store.recordTaken(asked.id, applied, 'applied to /r', 5_000)
    expect((await store.findTask(asked.id))?.taken).toEqual(applied)
    expect(await store.lastEvents(asked.id, 1)).toMatchObject([
      { at: 5_000, body: { kind: 'task_changed', text: 'applied to /r' } },
    ])
    await store.recordTaken(asked.id, null, 'taken back from /r', 6_000)
    expect((await store.findTask(asked.id))?.taken).toBeNull()
  })

  test('finds a submitted task by id, name and prefix, also from another connection', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    const asked = request()
    const task = await store.submitTask(asked)
    expect(task.request).toEqual(asked)
    expect(task.state).toEqual({ name: 'queued' })
    const other = await make(directory)
    for (const reference of [asked.id, asked.name, asked.id.slice(0, 9)]) {
      expect((await idsNamed(other, reference))[0]).toBe(asked.id)
    }
    expect(await other.findTasksNamed('nothing')).toEqual([])
  })

  test('a name means the newest task that bears it, an ambiguous prefix is two', async () => {
    const store = await make()
    await store.submitTask(request({ id: 'aaaaaaaaa1' as TaskId }))
    await store.submitTask(request({ id: 'aaaaaaaaa2' as TaskId }))
    expect(await idsNamed(store, 'fix-it')).toEqual(['aaaaaaaaa2'])
    expect(await store.findTasksNamed('aaaaaaaa')).toHaveLength(2)
  })

  test('claims in the order of submission, each once, with a growing fence', async () => {
    const store = await make()
    const [a, b] = [request(), request()]
    await store.submitTask(a)
    await store.submitTask(b)
    expect((await claim(store)).attempt).toMatchObject({ task: a.id, fence: 1, mode: 'fresh' })
    expect((await claim(store)).task.state).toEqual({ name: 'starting', fence: 1 })
    expect(await store.claimNext(2_000, fresh)).toBeUndefined()
  })

  test('a waiting task is claimed when its time has come, and tells what interrupted it', async () => {
    const store = await make()
    await store.submitTask(request())
    const { attempt } = await claim(store)
    const wait = { reason: 'backoff', until: 5_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    const task = await store.transition(attempt.task, attempt.fence, event, 3_000)
    expect(task?.state).toEqual({ name: 'waiting', wait })
    expect(await store.nextWake()).toBe(5_000)
    expect(await store.claimNext(4_999, fresh)).toBeUndefined()
    const again = await claim(store, 5_000)
    expect(again.attempt.fence).toBe(2)
    expect(again.interruptedBy).toEqual(failure)
    expect(again.task.failuresInRow).toBe(1)
    expect(await store.nextWake()).toBeUndefined()
  })

  test('a wait that began in the future of a clock that was set back is over', async () => {
    const store = await make()
    await store.submitTask(request())
    const { attempt } = await claim(store)
    const day = 86_400_000
    const wait = { reason: 'backoff', until: 10 * day + 2_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(attempt.task, attempt.fence, event, 10 * day)
    for (const now of [10 * day, 10 * day - 1_000, 10 * day - CLOCK_SLACK_MS]) {
      expect([now, waitIsOver(wait, 10 * day, now)]).toEqual([now, false])
      expect(await store.claimNext(now, fresh)).toBeUndefined()
    }
    expect(waitIsOver(wait, 10 * day, 9 * day)).toBe(true)
    expect((await claim(store, 9 * day)).attempt.fence).toBe(2)
  })

  test('what ran is counted once for each attempt of which an agent was seen', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const wait = { reason: 'backoff', until: 0, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    for (const [seen, runs] of [
      [0, 0],
      [1, 1],
      [2, 2],
    ] as const) {
      const { attempt } = await claim(store)
      for (let look = 0; look < seen; look++) {
        await store.transition(id, attempt.fence, { kind: 'agent_started' }, 0)
      }
      await store.transition(id, attempt.fence, event, 0)
      expect((await store.findTask(id))?.runs).toBe(runs)
    }
  })

  test('how an attempt ended is said with its end, so a settle that comes again says nothing', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    const end = { kind: 'attempt_succeeded', result } as const
    for (const refused of [false, true]) {
      const task = await store.transition(id, attempt.fence, end, 5, 'try 1 ended: exit code 0')
      expect(task === undefined).toBe(refused)
    }
    const notes = (await store.listEvents(id, 0, 100)).map(({ body }) => body)
    expect(notes.filter(({ kind }) => kind === 'attempt_ended')).toEqual([
      { kind: 'attempt_ended', text: 'try 1 ended: exit code 0' },
    ])
    expect(notes.at(-1)).toEqual({ kind: 'task_changed', text: 'succeeded' })
  })

  test('a try that was interrupted, and is cancelled while its task waits, has ended once', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    const wait = { reason: 'backoff', until: 9_000, failure } as const
    const interrupted = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(id, attempt.fence, interrupted, 5, 'try 1 ended: killed')
    await store.transition(id, null, { kind: 'cancel_requested' }, 6)
    const cancelled = { kind: 'attempt_cancelled', result } as const
    await store.transition(id, attempt.fence, cancelled, 7, 'try 1 ended: cancelled')
    const notes = (await store.listEvents(id, 0, 100)).map(({ body }) => body)
    expect(notes.filter(({ kind }) => kind === 'attempt_ended')).toEqual([
      { kind: 'attempt_ended', text: 'try 1 ended: killed' },
    ])
  })

  test('what would be continued is not, once its end was asked for, and nothing of it is given up', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    await store.transition(id, null, { kind: 'cancel_requested' }, 4)
    const wait = { reason: 'backoff', until: 9_000, failure } as const
    const interrupted = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    expect(await store.transition(id, attempt.fence, interrupted, 5)).toBeUndefined()
    const cancelled = { kind: 'attempt_cancelled', result } as const
    const task = await store.transition(id, attempt.fence, cancelled, 6)
    expect(task?.state).toEqual({ name: 'cancelled', endedAt: 6, result })
  })

  test('what is unknown stays so while it is cleared away; what is known is left alone', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    const known = (await store.submitTask(request())).request.id
    const run: string[] = []
    const work = (name: string) => async () => {
      run.push(name)
    }
    expect(await store.unlessKnown(known, work('known'))).toBe(false)
    expect(await store.unlessKnown('zzzzzzzzz9' as TaskId, work('unknown'))).toBe(true)
    expect(run).toEqual(['unknown'])
    const gone = store.submitTask(request(), undefined, () => false)
    await expect(gone).rejects.toMatchObject({ code: 'refused_in_state' })
    expect(await store.listTasks({})).toHaveLength(1)
  })

  test('the newest snapshot of a running task is known until its result is collected', async () => {
    const store = await make()
    for (const commit of ['d'.repeat(40) as CommitId, null]) {
      await store.submitTask(request())
      const { attempt } = await claim(store)
      const first = snapshotOf(attempt)
      expect(await store.recordRunningSnapshot(attempt, first)).toBe(true)
      expect(await store.recordRunningSnapshot(attempt, { ...first, number: 2 })).toBe(true)
      const end = { kind: 'attempt_failed', failure, result: { ...result, commit } } as const
      const ended = await store.transition(attempt.task, attempt.fence, end, 0)
      const kept = commit === null ? { ...first, number: 2 } : null
      expect(ended?.snapshot).toEqual(kept)
      expect((await store.findTask(attempt.task))?.snapshot).toEqual(kept)
      expect(await store.recordRunningSnapshot(attempt, first)).toBe(false)
    }
  })

  test('a stale fence writes nothing', async () => {
    const store = await make()
    await store.submitTask(request())
    const { attempt: stale } = await claim(store)
    const wait = { reason: 'backoff', until: 0, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(stale.task, stale.fence, event, 0)
    await claim(store)
    const end = { kind: 'attempt_succeeded', result } as const
    expect(await store.transition(stale.task, stale.fence, end, 0)).toBeUndefined()
    expect(
      await store.recordProgress(
        stale,
        { offset: 1, lines: 1, translation, activity, ...used },
        [message],
        0,
      ),
    ).toBe(false)
    expect(await store.recordRunningSnapshot(stale, snapshotOf(stale))).toBe(false)
    expect((await store.findTask(stale.task))?.snapshot).toBeNull()
    expect(await store.leaseWorktree(stale, place(worktreeIdOf(stale.task)))).toBe(false)
    expect((await store.findTask(stale.task))?.state.name).toBe('starting')
    expect((await store.findTask(stale.task))?.session).toBeNull()
  })

  test('log lines are numbered without gaps, and taken with the offset that they reach to', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    const many = Array.from({ length: 1_200 }, () => message)
    expect(
      await store.recordProgress(
        attempt,
        { offset: 77, lines: 9, translation, activity, ...used },
        many,
        9,
      ),
    ).toBe(true)
    await store.recordNote(id, attempt.fence, 'task_changed', 'over', 10)
    const events = await store.listEvents(id, 0, 5_000)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.filter(({ body }) => body.kind === 'message_ended')).toHaveLength(1_200)
    expect(await store.lastEvents(id, 1)).toMatchObject([{ at: 10, body: { text: 'over' } }])
    expect(await store.findProgress(id, attempt.fence)).toEqual({
      offset: 77,
      lines: 9,
      translation,
      activity,
      ...used,
    })
    expect(await store.findTask(id)).toMatchObject({ session: 's-1', fruitlessMs: 20 })
  })

  const limited = (until: number, account = 'acme') =>
    ({
      kind: 'attempt_interrupted',
      wait: { reason: 'usage_limit', until, failure, account },
      failuresInRow: 0,
    }) as const
  const on = (account: string) => request({ account })

  test('a limit holds the tasks of its account, begun or not, and no others', async () => {
    const store = await make()
    const [a, b, c, other] = [on('acme'), on('acme'), on('acme'), on('else')]
    for (const one of [a, b, c, other]) await store.submitTask(one)
    const first = await claim(store)
    const second = await claim(store)
    expect([first.task.request.id, second.task.request.id]).toEqual([a.id, b.id])
    await store.transition(a.id, first.attempt.fence, limited(9_000), 3_000)
    await store.transition(b.id, second.attempt.fence, limited(9_000), 3_001)
    expect(await store.findTask(c.id)).toMatchObject({ limitedUntil: 9_000 })
    expect((await claim(store, 4_000)).task.request.id).toBe(other.id)
    expect(await store.claimNext(8_999, fresh)).toBeUndefined()
    expect(await store.nextWake()).toBe(9_000)
  })

  test('after a reset one task tries, and the others follow once it has got something done', async () => {
    const store = await make()
    const [a, b, c] = [on('acme'), on('acme'), on('acme')]
    for (const one of [a, b, c]) await store.submitTask(one)
    const claims = [await claim(store), await claim(store)]
    for (const { attempt } of claims) {
      await store.transition(attempt.task, attempt.fence, limited(9_000), 3_000)
    }
    const probe = await claim(store, 9_000)
    expect(probe).toMatchObject({ task: { request: { id: a.id } }, interruptedBy: failure })
    expect(await store.claimNext(99_000, fresh)).toBeUndefined()
    // Whoever looks meanwhile has no time to wait for.
    expect(await store.nextWake()).toBeUndefined()
    expect(await store.countWaking(99_000)).toBe(0)
    expect([await store.isProbe(a.id), await store.isProbe(b.id)]).toEqual([true, false])
    expect(await store.liftLimit(b.id, 10_000, () => 0)).toBe(false)
    expect(await store.liftLimit(a.id, 10_000, () => 700)).toBe(true)
    expect(await store.nextWake()).toBe(10_700)
    expect((await claim(store, 10_000)).task.request.id).toBe(c.id)
    expect((await claim(store, 10_700)).task.request.id).toBe(b.id)
  })

  test('a probe that meets the limit again waits again, and one that dies lets another try', async () => {
    const store = await make()
    const [a, b] = [on('acme'), on('acme')]
    await store.submitTask(a)
    await store.submitTask(b)
    for (const { attempt } of [await claim(store), await claim(store)]) {
      await store.transition(attempt.task, attempt.fence, limited(9_000), 3_000)
    }
    const again = await claim(store, 9_000)
    await store.transition(a.id, again.attempt.fence, limited(20_000), 9_500)
    expect(await store.claimNext(19_999, fresh)).toBeUndefined()
    expect(await store.nextWake()).toBe(20_000)
    const probe = await claim(store, 20_000)
    expect(probe.task.request.id).toBe(b.id)
    const wait = { reason: 'backoff', until: 30_000, failure } as const
    const crash = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(b.id, probe.attempt.fence, crash, 21_000)
    expect((await claim(store, 21_000)).task.request.id).toBe(a.id)
  })

  test('a person may end the wait for a reset: that task tries at once', async () => {
    const store = await make()
    const [a, b] = [on('acme'), on('acme')]
    await store.submitTask(a)
    await store.submitTask(b)
    const { attempt } = await claim(store)
    await store.transition(a.id, attempt.fence, limited(9_000_000), 3_000)
    expect(await store.claimNext(4_000, fresh)).toBeUndefined()
    await store.transition(a.id, null, { kind: 'wait_ended' }, 5_000)
    expect((await claim(store, 5_000)).task.request.id).toBe(a.id)
    expect(await store.claimNext(5_000, fresh)).toBeUndefined()
  })

  test('a task that another agent goes on with has that one’s name and account, and no session', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request({ account: 'acme', fallback: ['other'] })))
      .request
    const { attempt } = await claim(store)
    await store.recordProgress(
      attempt,
      { offset: 1, lines: 1, translation, activity, ...used },
      [],
      0,
    )
    const wait = { reason: 'backoff', until: 3_000, failure } as const
    const successor = { agent: 'other', account: 'else', fallbacks: 1 }
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 0, successor } as const
    await store.transition(id, attempt.fence, event, 3_000)
    expect(await store.findTask(id)).toMatchObject({
      agent: 'other',
      account: 'else',
      fallbacks: 1,
      session: null,
      usage,
    })
    await claim(store, 3_000)
    const attempts = await store.listAttempts(id)
    expect(attempts.map(one => [one.agent, one.usage])).toEqual([
      ['codex', usage],
      ['other', null],
    ])
    expect(await store.listUsage(0)).toMatchObject([
      { task: id, agent: 'codex', usage },
      { task: id, agent: 'other', usage: null },
    ])
    expect(await store.listUsage(2_500)).toHaveLength(1)
  })

  test('a budget that is raised is kept', async () => {
    const store = await make()
    const budget = { kind: 'tokens', tokens: 5 } as const
    const { id } = (await store.submitTask(request({ budget }))).request
    const { attempt } = await claim(store)
    const wait = { reason: 'budget', failure } as const
    await store.transition(
      id,
      attempt.fence,
      { kind: 'attempt_interrupted', wait, failuresInRow: 0 },
      3_000,
    )
    expect(await store.nextWake()).toBeUndefined()
    expect(await store.claimNext(1e12, fresh)).toBeUndefined()
    const larger = { kind: 'tokens', tokens: 50 } as const
    await store.transition(id, null, { kind: 'wait_ended', budget: larger }, 4_000)
    expect((await claim(store, 4_000)).task).toMatchObject({ budget: larger })
  })

  test('a question is answered once, and only while it is asked', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    const answer = { text: 'yes', note: 'answered: Yes' }
    const { fence } = attempt
    expect(await store.recordAnswer(id, { fence, id: 'q1' }, answer, 1)).toBe(false)
    const question = { id: 'q1', text: 'May I?', options: [{ id: 'yes', label: 'Yes' }] }
    const asked = { kind: 'input_requested', question } as const
    expect(await store.transition(id, attempt.fence, asked, 3_000)).toMatchObject({
      state: { name: 'needs_input', question },
    })
    const other = await make(directory)
    // Neither another one, nor one of this id that an attempt before this one has asked.
    expect(await other.recordAnswer(id, { fence, id: 'q2' }, answer, 1)).toBe(false)
    const earlier = { fence: asFence(fence - 1), id: 'q1' }
    expect(await other.recordAnswer(id, earlier, answer, 1)).toBe(false)
    expect(await other.recordAnswer(id, { fence, id: 'q1' }, answer, 1)).toBe(true)
    const another = { ...answer, text: 'no' }
    expect(await other.recordAnswer(id, { fence, id: 'q1' }, another, 1)).toBe(false)
    expect([...(await store.listAnswers(id, fence))]).toEqual([['q1', 'yes']])
  })

  test('no success before all is heard that was said to it, by whichever attempt', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const early = await store.recordMessage(id, 'one\ntwo', 1_500)
    expect(early).toMatchObject({ number: 1, text: 'one\ntwo', heardAt: null })
    const { attempt } = await claim(store)
    expect(await store.launchWithMessages(attempt)).toMatchObject([{ number: 1, launchedWith: 1 }])
    expect(await store.recordMessage(id, 'three', 2_500)).toMatchObject({ number: 2 })
    const succeed = { kind: 'attempt_succeeded', result } as const
    expect(await store.recordHeard(attempt, [1], 2_600)).toBe(true)
    expect(await store.transition(id, attempt.fence, succeed, 3_000)).toBeUndefined()
    const wait = { reason: 'message', until: 3_000 } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 0 } as const
    expect(await store.transition(id, attempt.fence, event, 3_000)).toMatchObject({
      state: { name: 'waiting', wait },
    })
    const next = await store.claimNext(3_000, () => 'resume')
    if (next === undefined) throw new Error('it goes on at once')
    expect(next.interruptedBy).toBeNull()
    expect(await store.launchWithMessages(attempt)).toBeUndefined()
    expect(await store.recordHeard(attempt, [2], 3_100)).toBe(false)
    expect(await store.launchWithMessages(next.attempt)).toMatchObject([{ number: 2 }])
    // What was heard twice is written down once.
    expect(await store.recordHeard(next.attempt, [1, 2], 3_200)).toBe(true)
    expect(await store.transition(id, next.attempt.fence, succeed, 3_300)).toMatchObject({
      state: { name: 'succeeded' },
    })
    expect(await store.recordMessage(id, 'too late', 4_000)).toBeUndefined()
    expect((await store.listMessages(id)).map(({ heardAt }) => heardAt)).toEqual([2_600, 3_200])
    const log = await store.listEvents(id, 0, 100)
    expect(log.filter(({ body }) => body.kind === 'message_heard')).toHaveLength(2)
  })

  test('under one key it is said once: to a task, or as the prompt of one that follows', async () => {
    const store = await make()
    const first = (await store.submitTask(request())).request
    const idempotency = { key: 'k', fingerprint: 'f' }
    await store.recordMessage(first.id, 'one', 1, idempotency)
    expect((await store.submitTask(request({ idempotency }))).request.id).toBe(first.id)
    const other = { key: 'l', fingerprint: 'f' }
    await store.submitTask(request({ idempotency: other }))
    expect(await store.recordMessage(first.id, 'two', 2, other)).toBeUndefined()
    expect(await store.listMessages(first.id)).toHaveLength(1)
  })

  test('an end that was asked for comes whatever was said, and hears nothing more', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    await store.recordMessage(id, 'wait', 1)
    await store.transition(id, null, { kind: 'cancel_requested' }, 2)
    expect(await store.recordMessage(id, 'no, go on', 3)).toBeUndefined()
    const succeed = { kind: 'attempt_succeeded', result } as const
    expect(await store.transition(id, attempt.fence, succeed, 4)).toMatchObject({
      state: { name: 'cancelled' },
    })
  })

  test('an end releases the lease, closes the attempt, and owes one delivery', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    const worktree = worktreeIdOf(id)
    expect(await store.leaseWorktree(attempt, place(worktree))).toBe(true)
    expect((await store.findWorktree(worktree))?.leasedTo).toBe(id)
    expect(await store.forgetWorktree(worktree)).toBe(false)
    const end = { kind: 'attempt_succeeded', result } as const
    const task = await store.transition(id, attempt.fence, end, 8_000)
    expect(task?.state).toEqual({ name: 'succeeded', endedAt: 8_000, result })
    expect((await store.findWorktree(worktree))?.leasedTo).toBeNull()
    expect(await store.listAttempts(id)).toMatchObject([{ endedAt: 8_000, ending: 'succeeded' }])
    expect((await store.findTask(id))?.worktree?.path).toBe('/w')
    expect(await store.forgetWorktree(worktree)).toBe(true)
  })

  test('a worktree is leased to one task', async () => {
    const store = await make()
    await store.submitTask(request())
    await store.submitTask(request())
    const [first, second] = [await claim(store), await claim(store)]
    const id = worktreeIdOf(first.attempt.task)
    expect(await store.leaseWorktree(first.attempt, place(id))).toBe(true)
    expect(await store.leaseWorktree(first.attempt, place(id))).toBe(true)
    expect(await store.leaseWorktree(second.attempt, place(id))).toBe(false)
  })

  test('each worktree has ports of its own, for as long as it is known, and again afterwards', async () => {
    const store = await make()
    const plan = (n: number, kind: 'managed' | 'borrowed' = 'managed') => {
      const id = `w${n}` as WorktreeId
      return { id, kind, path: `/w/${n}`, commonDir: '/r/.git' }
    }
    const range = { first: 23_000, blocks: 3 }
    const claimAll = async (...ids: string[]) => {
      const ports: (number | null)[] = []
      for (const id of ids) ports.push(await store.claimPorts(id as WorktreeId, range))
      return ports
    }
    expect(await claimAll('w1')).toEqual([null])
    for (const n of [1, 2, 3, 4]) await store.planWorktree(plan(n))
    const ports = await claimAll('w1', 'w2', 'w3')
    expect([...ports].sort()).toEqual([23_000, 23_010, 23_020])
    expect(await claimAll('w4', 'w1', 'w2', 'w3')).toEqual([null, ...ports])
    expect((await store.findWorktree('w2' as WorktreeId))?.port).toBe(ports[1])
    // Blocks of another range do not overlap these.
    expect(await store.claimPorts('w4' as WorktreeId, { first: 23_025, blocks: 2 })).toBe(23_035)
    await store.forgetWorktree('w4' as WorktreeId)

    const content = { state: request().base, branch: null }
    const away = { ...content, ignored: { files: 0, bytes: 0, dropped: [] } }
    const { id: worktree, ...place } = plan(2)
    await store.recordSnapshot({ ...away, ...place, worktree, number: 1, takenAt: 1 })
    await store.forgetWorktree('w2' as WorktreeId)
    await store.planWorktree(plan(2))
    expect(await claimAll('w2')).toEqual([ports[1]])
    await store.forgetWorktree('w2' as WorktreeId)
    await store.planWorktree(plan(5, 'borrowed'))
    expect(await claimAll('w5')).toEqual([ports[1]])
    await store.planWorktree(plan(2))
    expect((await store.findWorktree('w2' as WorktreeId))?.port).toBeNull()
    // The user's checkout, in which no task works, gives them up.
    expect(await claimAll('w2')).toEqual([ports[1]])
    expect((await store.findWorktree('w5' as WorktreeId))?.port).toBeNull()
  })

  test('twenty worktrees that ask at once, in five processes, get twenty blocks', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    const ids = Array.from({ length: 20 }, (_, n) => `w${n}` as WorktreeId)
    for (const id of ids)
      await store.planWorktree({ id, kind: 'managed', path: `/${id}`, commonDir: '/r' })
    const program = fileURLToPath(new URL('../store/claim-ports-program.ts', import.meta.url))
    const claimIn = async (own: readonly WorktreeId[]) => {
      const { stdout } = await promisify(execFile)(process.execPath, [program, directory, ...own])
      return JSON.parse(stdout) as number[]
    }
    const claimed = await Promise.all(
      [0, 1, 2, 3, 4].map(n => claimIn(ids.slice(n * 4, n * 4 + 4))),
    )
    expect(claimed.flat().sort()).toEqual(ids.map((_, n) => 23_000 + 10 * n))
  })

  test('what is under way is found with its newest attempt', async () => {
    const store = await make()
    await store.submitTask(request())
    await store.submitTask(request())
    const { attempt } = await claim(store)
    await store.transition(attempt.task, attempt.fence, { kind: 'agent_started' }, 3_000)
    const active = await store.claimActive()
    expect(active.map(({ attempt: a, task }) => [a.task, a.fence, task.state.name])).toEqual([
      [attempt.task, 1, 'running'],
    ])
    // And with all that following it takes, as each would say it by itself.
    const progress = { offset: 5, lines: 1, translation, activity, ...used }
    await store.recordProgress(attempt, progress, [message], 3_500)
    const [again] = await store.claimActive()
    expect(again?.tries).toEqual({
      attempts: await store.listAttempts(attempt.task),
      progress: await store.findProgress(attempt.task, attempt.fence),
    })
    expect(again?.tries.progress).toMatchObject({ offset: 5, lines: 1 })
  })

  test('a queued task is cancelled at once, an ended one no more', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const cancel = { kind: 'cancel_requested' } as const
    expect((await store.transition(id, null, cancel, 1))?.state.name).toBe('cancelled')
    expect(await store.transition(id, null, cancel, 2)).toBeUndefined()
    expect(await store.claimNext(9_999, fresh)).toBeUndefined()
  })

  test('twenty writers at once lose nothing', async () => {
    const directory = scratchDirectory()
    await make(directory)
    const writers = await Promise.all(Array.from({ length: 20 }, () => make(directory)))
    await Promise.all(writers.map(store => store.submitTask(request())))
    const claimed = await Promise.all(writers.map(store => claim(store)))
    expect(new Set(claimed.map(({ attempt }) => attempt.task)).size).toBe(20)
  })

  test('a write of another process shows in the change counter', async () => {
    const directory = scratchDirectory()
    const [store, other] = [await make(directory), await make(directory)]
    const before = store.changeCounter()
    expect(store.changeCounter()).toBe(before)
    await other.submitTask(request())
    expect(store.changeCounter()).not.toBe(before)
  })

  test('the log of a claimed attempt refuses a fence that never was', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const forged = { task: id, fence: asFence(7), mode: 'fresh', startedAt: 0 } as ClaimedAttempt
    expect(
      await store.recordProgress(
        forged,
        { offset: 1, lines: 1, translation, activity, ...used },
        [message],
        0,
      ),
    ).toBe(false)
  })

  test('a session that the agent no longer knows is forgotten, and the prompt given again', async () => {
    const store = await make()
    const { id } = (await store.submitTask(request())).request
    const { attempt } = await claim(store)
    await store.recordProgress(
      attempt,
      { offset: 1, lines: 1, translation, activity, ...used },
      [],
      0,
    )
    const lost = { code: 'session_lost', message: 'no rollout found' } as const
    const wait = { reason: 'backoff', until: 0, failure: lost } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.recordMessage(id, 'more', 0)
    await store.recordHeard(attempt, [1], 0)
    await store.transition(id, attempt.fence, event, 0)
    expect((await store.findTask(id))?.session).toBeNull()
    expect(await store.listMessages(id)).toMatchObject([{ heardAt: null, launchedWith: null }])
  })

  test('of queued tasks the one with the highest priority is claimed first', async () => {
    const store = await make()
    const [low, first, second] = [
      request({ priority: -1 }),
      request({ priority: 5 }),
      request({ priority: 5 }),
    ]
    for (const one of [low, first, second]) await store.submitTask(one)
    const order = [await claim(store), await claim(store), await claim(store)]
    expect(order.map(({ attempt }) => attempt.task)).toEqual([first.id, second.id, low.id])
  })

  test('what was interrupted is claimed before what was never begun', async () => {
    const store = await make()
    const begun = request()
    await store.submitTask(begun)
    const { attempt } = await claim(store)
    await store.submitTask(request({ priority: 100 }))
    const wait = { reason: 'backoff', until: 5_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(attempt.task, attempt.fence, event, 3_000)
    expect(await store.countWaking(4_999)).toBe(0)
    expect(await store.countWaking(5_000)).toBe(1)
    expect(await store.claimNext(4_999, fresh, 'interrupted')).toBeUndefined()
    expect((await claim(store, 5_000)).attempt.task).toBe(begun.id)
  })

  test('a wait that is ended goes on at once, and still tells what interrupted it', async () => {
    const store = await make()
    await store.submitTask(request())
    const { attempt } = await claim(store)
    const wait = { reason: 'backoff', until: 900_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(attempt.task, attempt.fence, event, 3_000)
    await store.transition(attempt.task, null, { kind: 'wait_ended' }, 4_000)
    expect((await claim(store, 4_000)).interruptedBy).toEqual(failure)
  })

  test('a task waits for all that it comes after, and is queued when the last has succeeded', async () => {
    const store = await make()
    const [a, b] = [request(), request()]
    await store.submitTask(a)
    await store.submitTask(b)
    const later = await store.submitTask(request({ after: [a.id, b.id] }))
    const onBoth = { reason: 'dependency', on: [a.id, b.id] }
    expect(later.state).toEqual({ name: 'waiting', wait: onBoth })
    const stateOf = async () => (await store.findTask(later.request.id))?.state
    for (const [n, { attempt }] of [await claim(store), await claim(store)].entries()) {
      expect(await store.claimNext(9_999_999, fresh)).toBeUndefined()
      await store.transition(attempt.task, attempt.fence, { kind: 'attempt_succeeded', result }, 5)
      const left = { name: 'waiting', wait: { reason: 'dependency', on: [b.id] } }
      expect(await stateOf()).toEqual(n === 0 ? left : { name: 'queued' })
    }
    expect((await claim(store)).attempt.task).toBe(later.request.id)
  })

  test('a task fails with the one that it waits for, and takes along those that wait for it', async () => {
    const store = await make()
    const first = request()
    await store.submitTask(first)
    const second = await store.submitTask(request({ after: [first.id] }))
    const third = await store.submitTask(request({ after: [second.request.id] }))
    await store.transition(first.id, null, { kind: 'cancel_requested' }, 7)
    for (const { request: asked } of [second, third]) {
      const state = (await store.findTask(asked.id))?.state
      expect(state).toMatchObject({ name: 'failed', failure: { code: 'dependency_failed' } })
    }
    await expect(store.submitTask(request({ after: [first.id] }))).rejects.toMatchObject({
      code: 'refused_in_state',
    })
  })

  test('a task that waits for others is cancelled at once, and is not roused by them', async () => {
    const store = await make()
    const first = request()
    await store.submitTask(first)
    const later = (await store.submitTask(request({ after: [first.id] }))).request.id
    const cancelled = await store.transition(later, null, { kind: 'cancel_requested' }, 7)
    expect(cancelled?.state.name).toBe('cancelled')
    const { attempt } = await claim(store)
    await store.transition(attempt.task, attempt.fence, { kind: 'attempt_succeeded', result }, 8)
    expect((await store.findTask(later))?.state.name).toBe('cancelled')
  })

  test('under one idempotency key there is one task, and never another request', async () => {
    const store = await make()
    const idempotency = { key: 'nightly', fingerprint: 'f' }
    const { id } = (await store.submitTask(request({ idempotency }))).request
    expect((await store.submitTask(request({ idempotency }))).request.id).toBe(id)
    expect(await store.listTasks({})).toHaveLength(1)
    const other = { key: 'nightly', fingerprint: 'g' }
    await expect(store.submitTask(request({ idempotency: other }))).rejects.toMatchObject({
      code: 'idempotency_conflict',
    })
  })

  test('a worktree that is shared is leased from the submission to the end', async () => {
    const store = await make()
    const workplace = { kind: 'borrowed', id: 'in-place-1' as WorktreeId, path: '/r' } as const
    const first = await store.submitTask(request({ workplace }))
    expect(first.worktree).toMatchObject({ path: '/r', kind: 'borrowed' })
    await expect(store.submitTask(request({ workplace }))).rejects.toMatchObject({ code: 'leased' })
    expect(await store.listTasks({})).toHaveLength(1)
    await store.transition(first.request.id, null, { kind: 'cancel_requested' }, 7)
    // What a task was planned for without a look at the last one is out of date.
    await expect(store.submitTask(request({ workplace }))).rejects.toMatchObject({ code: 'leased' })
    const seen = { record: null, newestTask: await store.newestTaskIn(workplace.id) }
    expect(seen.newestTask).toBe(first.request.id)
    const second = await store.submitTask(request({ workplace }), seen)
    expect((await store.findWorktree(workplace.id))?.leasedTo).toBe(second.request.id)
  })

  test('below one task no more are delegated than its limit', async () => {
    const store = await make()
    const root = request()
    await store.submitTask(root)
    const delegation = { parent: root.id, root: root.id, depth: 1 }
    for (let n = 0; n < MOST_DELEGATED; n++) await store.submitTask(request({ delegation }))
    await expect(store.submitTask(request({ delegation }))).rejects.toMatchObject({
      code: 'delegation_limit',
    })
    expect(await store.listTasks({ root: root.id })).toHaveLength(MOST_DELEGATED)
  })

  test('the bare name means the newest of those that follow it', async () => {
    const store = await make()
    await store.submitTask(request())
    const second = await store.submitTask(request({ name: 'fix-it.2' }))
    await store.submitTask(request({ name: 'fix-it.two' }))
    await store.submitTask(request({ name: 'fix-it-now' }))
    expect((await idsNamed(store, 'fix-it'))[0]).toBe(second.request.id)
  })

  test('a request of an older Holdfast says less, and is read', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    const asked = request()
    await store.submitTask(asked)
    const { raw } = await openDatabase(directory)
    const { workplace, priority, after, delegation, session, follows, ...older } = asked
    raw.prepare('UPDATE tasks SET request_json = ?').run(JSON.stringify(older))
    raw.close()
    expect((await store.findTask(asked.id))?.request).toEqual(asked)
    expect(await store.checkIntegrity()).toEqual([])
  })

  test('a delegated task may be claimed beyond the slots, one at a time for each delegator', async () => {
    const store = await make()
    const outer = request()
    await store.submitTask(outer)
    const delegation = { parent: outer.id, root: outer.id, depth: 1 }
    const inner = [request({ delegation }), request({ delegation })]
    for (const one of inner) await store.submitTask(one)
    await store.submitTask(request({ priority: 100 }))
    const beyond = async () => (await store.claimNext(2_000, fresh, 'delegated'))?.attempt
    // Its delegator is not under way: it waits in line like any other.
    expect(await beyond()).toBeUndefined()
    await store.claimNext(2_000, fresh) // the one of high priority
    const { attempt } = await claim(store)
    expect(attempt.task).toBe(outer.id)
    const first = await beyond()
    expect(first?.task).toBe(inner[0]?.id)
    expect(await beyond()).toBeUndefined()
    const end = { kind: 'attempt_succeeded', result } as const
    if (first !== undefined) await store.transition(first.task, first.fence, end, 5)
    expect((await beyond())?.task).toBe(inner[1]?.id)
  })

  test('a delegate in its pause goes on before its sibling is begun beyond the slots', async () => {
    const store = await make()
    const outer = request()
    await store.submitTask(outer)
    await claim(store)
    const delegation = { parent: outer.id, root: outer.id, depth: 1 }
    const inner = [request({ delegation }), request({ delegation })]
    for (const one of inner) await store.submitTask(one)
    const beyond = async (now: number) => (await store.claimNext(now, fresh, 'delegated'))?.attempt
    const first = await beyond(2_000)
    if (first === undefined) throw new Error('no delegate was claimed')
    const wait = { reason: 'backoff', until: 5_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(first.task, first.fence, event, 3_000)
    expect(await beyond(4_000)).toBeUndefined()
    expect((await beyond(5_000))?.task).toBe(first.task)
  })

  test('a damaged row wakes nobody and holds no slot', async () => {
    const directory = scratchDirectory()
    const store = await make(directory)
    await store.submitTask(request())
    const { attempt } = await claim(store)
    const wait = { reason: 'backoff', until: 5_000, failure } as const
    const event = { kind: 'attempt_interrupted', wait, failuresInRow: 1 } as const
    await store.transition(attempt.task, attempt.fence, event, 3_000)
    const { raw } = await openDatabase(directory)
    raw.prepare("UPDATE tasks SET request_json = '{torn'").run()
    raw.close()
    expect(await store.claimNext(6_000, fresh)).toBeUndefined()
    expect(await store.countWaking(9_000)).toBe(0)
    expect(await store.nextWake()).toBeUndefined()
  })
})
