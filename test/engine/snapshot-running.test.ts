/** When the files of a running task are kept aside, and what of that counts. */
import { expect, test } from 'vitest'
import { asFence, type CommitId, type TaskId, type WorktreeId } from '../../src/domain/ids.ts'
import type { RunningSnapshot } from '../../src/domain/snapshot.ts'
import type { Task } from '../../src/domain/task.ts'
import type { FollowPorts, Underway } from '../../src/engine/follow-attempt.ts'
import { snapshotWhileRunning } from '../../src/engine/snapshot-running.ts'
import type { RunningCapture, RunningOrder } from '../../src/ports/worktrees.ts'

const EVERY = 300_000
const commit = (letter: string) => letter.repeat(40) as CommitId
const taken = (letter: string): RunningCapture => ({
  kind: 'taken',
  seen: letter,
  commit: commit(letter),
  leftOut: [],
})

/** A worktree whose captures are given, one after the other; time is what it is told to be. */
function makeScene(captures: readonly (RunningCapture | Error | 'hangs')[], everyMs = EVERY) {
  const left = [...captures]
  const seen = { orders: [] as RunningOrder[], notes: [] as string[], kept: [] as unknown[] }
  const facts = { now: 0, isPresent: true, isStale: false, rows: [] as string[] }
  const record = { id: 'w' as WorktreeId, path: '/w' }
  const ports = {
    snapshotEveryMs: everyMs,
    clock: { now: () => facts.now, elapsed: () => facts.now, sleep: async () => undefined },
    files: {
      runningSnapshot: (_: TaskId, { fence, number }: RunningSnapshot) => `${fence}-${number}`,
      setUpTime: () => null,
      removeRunningSnapshots: async (_: TaskId, except: unknown) => void seen.kept.push(except),
    },
    worktrees: {
      lookAtWorktree: () => (facts.isPresent ? 'present' : 'worktree_lost'),
      async snapshotRunning(_: unknown, order: RunningOrder, leave: AbortSignal) {
        seen.orders.push(order)
        const next = left.shift() ?? { kind: 'unchanged' }
        if (next instanceof Error) throw next
        if (next !== 'hangs') return next
        return await new Promise((_resolve, reject) => {
          leave.addEventListener('abort', () => reject(leave.reason))
        })
      },
    },
    store: {
      async recordRunningSnapshot(_: unknown, snapshot: RunningSnapshot) {
        if (!facts.isStale) facts.rows.push(snapshot.commit)
        return !facts.isStale
      },
      recordNote: async (...[, , , note]: string[]) => void seen.notes.push(note ?? ''),
    },
  } as unknown as FollowPorts
  const attempt = { task: 't' as TaskId, fence: asFence(2), startedAt: 0 }
  const task = { snapshot: null, request: { base: null } } as unknown as Task
  const watch = snapshotWhileRunning(
    { task, attempt, worktree: record } as unknown as Underway,
    ports,
  )
  /** Whatever was begun is over when it returns, but for what hangs. */
  const at = async (now: number) => {
    facts.now = now
    watch.look(now)
    await new Promise(resolve => setImmediate(resolve))
  }
  return { ...seen, facts, watch, at }
}

test('one is taken when it is due, counts once the tree still stands, and the next is due later', async () => {
  const { at, facts, orders, kept } = makeScene([taken('a'), { kind: 'unchanged' }, taken('b')])
  await at(EVERY - 1)
  expect(orders).toEqual([])
  await at(EVERY)
  expect(orders).toMatchObject([{ file: '2-1', seen: null }])
  await at(EVERY + 9_999)
  expect(facts.rows).toEqual([])
  await at(EVERY + 10_000)
  expect(facts.rows).toEqual([commit('a')])
  expect(kept).toMatchObject([{ fence: 2, number: 1 }])
  await at(2 * EVERY - 1)
  expect(orders).toHaveLength(1)
  await at(2 * EVERY)
  await at(3 * EVERY)
  await at(3 * EVERY + 10_000)
  expect(orders).toMatchObject([{}, { file: '2-2', seen: 'a' }, { file: '2-2', seen: 'a' }])
  expect(facts.rows).toEqual([commit('a'), commit('b')])
})

test('of a tree that is gone by then, and of a stale attempt, nothing counts', async () => {
  const gone = makeScene([taken('a')])
  await gone.at(EVERY)
  gone.facts.isPresent = false
  await gone.at(EVERY + 10_000)
  const stale = makeScene([taken('a')])
  stale.facts.isStale = true
  await stale.at(EVERY)
  await stale.at(EVERY + 10_000)
  expect([gone.facts.rows, gone.kept, stale.facts.rows, stale.kept]).toEqual([[], [], [], []])
})

test('files that are the base’s, before and again, take the place of nothing that was kept', async () => {
  const { at, facts } = makeScene([
    { kind: 'as_base', seen: '0' },
    taken('a'),
    { kind: 'as_base', seen: '1' },
  ])
  for (const n of [1, 2, 3]) {
    await at(n * EVERY)
    await at(n * EVERY + 10_000)
  }
  expect(facts.rows).toEqual([commit('a')])
})

test('a failure is told once, however often it comes; what takes too long is one', async () => {
  const { at, notes } = makeScene(['hangs', new Error('too large'), new Error('too large')])
  await at(EVERY)
  await at(EVERY + 60_000)
  expect(notes).toEqual([])
  await at(EVERY + 60_001)
  expect(notes).toEqual(['its files could not be kept aside for now: it took too long'])
  // It took a minute: for twenty there is none.
  await at(2 * EVERY + 60_001)
  await at(EVERY + 60_001 + 20 * 60_001)
  await at(EVERY + 60_001 + 40 * 60_001)
  expect(notes).toHaveLength(1)
})

test('the end waits for none, and hears of none; where it is off, none is taken', async () => {
  const { at, watch, notes, orders } = makeScene(['hangs'])
  await at(EVERY)
  expect([orders.length, watch.isBusy()]).toEqual([1, true])
  await watch.stop()
  expect(notes).toEqual([])
  const off = makeScene([taken('a')], 0)
  await off.at(10 * EVERY)
  await off.watch.stop()
  expect(off.orders).toEqual([])
})
