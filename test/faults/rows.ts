/** The store as it is, read beside everything else and without our own code. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface TaskRow {
  readonly id: string
  readonly state: string
  readonly state_json: string
  readonly attempts: number
  readonly session: string | null
  readonly snapshot_json: string | null
}

export interface Delivered {
  readonly id: string
  readonly task: string
  readonly event: string
  readonly channel: string
  readonly state: string
}

export interface Rows {
  readonly tasks: readonly TaskRow[]
  /** Of each log line: its task, number, kind and words. */
  readonly events: readonly {
    task: string
    seq: number
    kind: string
    text: string | null
    fence: number | null
  }[]
  readonly attempts: readonly { task: string; fence: number; ended_at: number | null }[]
  readonly deliveries: readonly Delivered[]
  readonly leases: readonly { worktree: string; task: string }[]
  readonly worktrees: readonly { id: string; path: string; record_json: string | null }[]
}

const TASKS =
  'SELECT id, state, state_json, attempts, session, snapshot_json FROM tasks ORDER BY number'

/** Undefined: there is no store yet, or it has no tables yet. */
export function readRows(home: string): Rows | undefined {
  return reading(home, all => ({
    tasks: all(TASKS),
    events: all(
      `SELECT task, seq, kind, json_extract(body_json, '$.text') AS text, fence FROM events ORDER BY task, seq`,
    ),
    attempts: all('SELECT task, fence, ended_at FROM attempts ORDER BY task, fence'),
    deliveries: all('SELECT id, task, event, channel, state FROM deliveries'),
    leases: all('SELECT worktree, task FROM leases'),
    worktrees: all('SELECT id, path, record_json FROM worktrees'),
  }))
}

/** The tasks alone: asked many times a second. */
export function readTasks(home: string): readonly TaskRow[] {
  const tasks = reading(home, all => all(TASKS))
  return (tasks ?? []) as readonly TaskRow[]
}

/** How many worktrees made in advance there are, and how many of them a task may take over. */
export function countSpares(home: string): { readonly all: number; readonly ready: number } {
  const found = reading(home, all => all('SELECT spare_json, claimed_by FROM spares'))
  const rows: readonly { spare_json: string | null; claimed_by: string | null }[] = found ?? []
  const ready = rows.filter(row => row.spare_json !== null && row.claimed_by === null)
  return { all: rows.length, ready: ready.length }
}

type All = (sql: string) => never[]

function reading<T>(home: string, read: (all: All) => T): T | undefined {
  const file = join(home, 'store.db')
  if (!existsSync(file)) return undefined
  let database: DatabaseSync
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 30_000 })
  } catch {
    // It is just being made.
    return undefined
  }
  try {
    return read(sql => database.prepare(sql).all() as never[])
  } catch (error) {
    if (/no such table|locked|unable to open|disk I\/O/.test(String(error))) return undefined
    throw error
  } finally {
    database.close()
  }
}
