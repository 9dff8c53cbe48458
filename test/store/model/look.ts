/** What the store holds, read beside it and without our own code; and what of it must never be. */
import type { DatabaseSync } from 'node:sqlite'
import { endedStates, type TaskState, type TaskStateName } from '../../../src/domain/task.ts'
import { transitions, transitionsBeforeStart } from '../../../src/domain/transitions.ts'
import type { Expected } from './expected.ts'

interface TaskRow {
  readonly id: string
  readonly state: TaskStateName
  readonly state_json: string
  readonly attempts: number
  readonly last_seq: number
}

export type Rows = ReadonlyMap<string, TaskRow>

const isEnded = (state: string) => endedStates.some(name => name === state)

export function look(raw: DatabaseSync): Rows {
  const rows = all<TaskRow>(raw, 'SELECT id, state, state_json, attempts, last_seq FROM tasks')
  return new Map(rows.map(row => [row.id, row]))
}

function all<Row>(raw: DatabaseSync, sql: string): readonly Row[] {
  return raw.prepare(sql).all() as unknown as Row[]
}

/** Where one transition leads, from each state. */
const edges = new Map<TaskStateName, ReadonlySet<string>>(
  (Object.keys(transitions) as TaskStateName[]).map(from => {
    const cells: string[] = Object.values(transitions[from])
    if (from === 'waiting') cells.push(...Object.values(transitionsBeforeStart))
    return [from, new Set(cells.map(cell => (cell === 'stay' ? from : cell)))]
  }),
)

/** Between two looks, of which one step lies: in words, what may not be. */
export function wrongSteps(before: Rows, after: Rows): string[] {
  const found: string[] = []
  for (const [id, was] of before) {
    const is = after.get(id)
    if (is === undefined) {
      found.push(`${id} is lost`)
      continue
    }
    if (is.attempts < was.attempts || is.attempts > was.attempts + 1) {
      found.push(`${id}: fence ${was.attempts} → ${is.attempts}`)
    }
    if (isEnded(was.state) && is.state_json !== was.state_json) {
      found.push(`${id} had ended: ${was.state_json} → ${is.state_json}`)
    }
    if (is.state_json === was.state_json) continue
    // One of several that it waits for has ended.
    const stays = was.state === 'waiting' && is.state === 'waiting'
    if (!stays && !edges.get(was.state)?.has(is.state)) {
      found.push(`${id}: ${was.state} → ${is.state}`)
    }
  }
  return found
}

/** What may not be at any time, whatever was done. */
export function wrongRows(raw: DatabaseSync, rows: Rows): string[] {
  const found: string[] = []
  const logs = all<{ task: string; lines: number; first: number; last: number }>(
    raw,
    'SELECT task, count(*) AS lines, min(seq) AS first, max(seq) AS last FROM events GROUP BY task',
  )
  for (const { task, lines, first, last } of logs) {
    if (first !== 1 || last !== lines || rows.get(task)?.last_seq !== last) {
      found.push(`${task}: ${lines} lines, ${first} to ${last}`)
    }
  }
  const open = all<{ task: string; fence: number }>(
    raw,
    'SELECT task, fence FROM attempts WHERE ended_at IS NULL',
  )
  for (const { id, state, attempts } of rows.values()) {
    const own = open.filter(({ task }) => task === id)
    const isUnderWay = ['starting', 'running', 'needs_input'].includes(state)
    // One that was cancelled in its pause has none.
    const most = isUnderWay || state === 'cancelling' ? 1 : 0
    if (own.length > most || (isUnderWay && own.length < 1)) {
      found.push(`${id}, ${state}: ${own.length} tries are under way`)
    }
    if (own.some(({ fence }) => fence !== attempts)) found.push(`${id}: an old try is under way`)
  }
  const leases = all<{ task: string; worktree: string }>(raw, 'SELECT task, worktree FROM leases')
  for (const { task, worktree } of leases) {
    const state = rows.get(task)?.state ?? 'lost'
    if (state === 'lost' || isEnded(state)) found.push(`${worktree} is leased to ${task}, ${state}`)
  }
  if (new Set(leases.map(({ task }) => task)).size < leases.length) {
    found.push('a task has leased two worktrees')
  }
  return found
}

/** Where the store holds something else than it must. */
export function differences(raw: DatabaseSync, rows: Rows, expected: Expected): string[] {
  const found: string[] = []
  const differ = (what: string, is: unknown, must: unknown) => {
    const [a, b] = [JSON.stringify(is), JSON.stringify(must)]
    if (a !== b) found.push(`${what}: ${a} instead of ${b}`)
  }
  differ('tasks', [...rows.keys()].sort(), [...expected.tasks.keys()].sort())
  for (const { request, state, attempts } of expected.all) {
    const row = rows.get(request.id)
    differ(`${request.id}: fence`, row?.attempts, attempts)
    if (row === undefined) continue
    differ(request.id, comparable(JSON.parse(row.state_json)), comparable(state))
  }
  const leases = all<{ worktree: string; task: string }>(
    raw,
    'SELECT worktree, task FROM leases ORDER BY worktree',
  )
  differ(
    'leases',
    leases.map(({ worktree, task }) => [worktree, task]),
    [...expected.worktrees]
      .flatMap(([id, { leasedTo }]) => (leasedTo === null ? [] : [[id, leasedTo]]))
      .sort(byFirst),
  )
  const deliveries = all<{ id: string }>(raw, 'SELECT id FROM deliveries ORDER BY id')
  differ(
    'deliveries',
    deliveries.map(({ id }) => id),
    [...expected.owed].sort(),
  )
  const limits = all<{ account: string; ends_at: number; probe: string | null }>(
    raw,
    'SELECT account, ends_at, probe FROM limits ORDER BY account',
  )
  differ(
    'limits',
    limits.map(({ account, ends_at, probe }) => [account, ends_at, probe]),
    [...expected.limits]
      .map(([account, { endsAt, probe }]) => [account, endsAt, probe])
      .sort(byFirst),
  )
  return found
}

const byFirst = ([a]: readonly unknown[], [b]: readonly unknown[]) =>
  String(a) < String(b) ? -1 : 1

/** The words of a failure are the store's own. */
function comparable(state: TaskState) {
  return state.name === 'failed' ? { ...state, failure: state.failure.code } : state
}
