/** Whether the store is sound: SQLite's own structure, then the shape of every JSON column. */
import type { DatabaseSync } from 'node:sqlite'
import * as z from 'zod/mini'
import type { TaskId, WorktreeId } from '../domain/ids.ts'
import type { WorktreeKind } from '../domain/task.ts'
import type { Damage } from '../ports/store.ts'
import { columnSchemas } from './column-schemas.ts'

/** How many findings are worth reading. */
const MOST = 100

/** The column that names the task of a row. */
const OWNERS = { tasks: 'id', attempts: 'task', events: 'task', deliveries: 'task' } as const

/** What no other column tells, and nothing derives again. */
const VITAL: readonly string[] = [
  'tasks.request_json',
  'tasks.state_json',
  'worktrees.record_json',
  'snapshots.content_json',
]

/** What is wrong. Reads everything. */
export function findDamage(database: DatabaseSync): readonly Damage[] {
  const structure = database.prepare('PRAGMA integrity_check').all() as {
    integrity_check: string
  }[]
  const found: Damage[] = structure
    .map(row => row.integrity_check)
    .filter(text => text !== 'ok')
    .map(text => ({ where: { kind: 'structure' }, isVital: true, text }))
  // In a torn structure rows cannot be told from each other.
  if (found.length > 0) return found
  for (const { table, column, json, row } of readColumns(database)) {
    const problem = findProblem(json, columnSchemas[table][column as never])
    if (problem === null) continue
    const name = `${table}.${column}`
    const { where, owner } = ownerOf(table, row)
    found.push({ where, isVital: VITAL.includes(name), text: `${name} of ${owner}: ${problem}` })
    if (found.length >= MOST) break
  }
  return found
}

type Table = keyof typeof columnSchemas
type Row = Readonly<Record<string, string | null>> & { readonly number?: number }

const TABLES = [
  'tasks',
  'attempts',
  'worktrees',
  'snapshots',
  'events',
  'deliveries',
] as const satisfies readonly Table[]

/** The columns that say whose a row is. */
const OWN_COLUMNS: Readonly<Record<Table, string>> = {
  ...OWNERS,
  worktrees: 'id, kind, path, repository',
  snapshots: 'worktree, number',
}

/** Every value of every JSON column, with its row. */
function* readColumns(database: DatabaseSync) {
  for (const table of TABLES) {
    for (const column of Object.keys(columnSchemas[table])) {
      const rows = database
        .prepare(`SELECT ${OWN_COLUMNS[table]}, ${column} AS json FROM ${table}`)
        .iterate()
      for (const row of rows as Iterable<Row>) yield { table, column, json: row.json ?? null, row }
    }
  }
}

function ownerOf(
  table: Table,
  row: Row,
): { readonly where: Damage['where']; readonly owner: string | null | undefined } {
  switch (table) {
    case 'worktrees': {
      const place = {
        id: row.id as WorktreeId,
        kind: row.kind as WorktreeKind,
        path: row.path ?? '',
        commonDir: row.repository ?? '',
      }
      return { where: { kind: 'worktree', place }, owner: place.id }
    }
    case 'snapshots': {
      const [worktree, number] = [row.worktree as WorktreeId, Number(row.number)]
      return { where: { kind: 'snapshot', worktree, number }, owner: `${worktree}, ${number}` }
    }
    default: {
      const id = row[OWNERS[table]] as TaskId
      return { where: { kind: 'task', id }, owner: id }
    }
  }
}

function findProblem(json: string | null, schema: z.ZodMiniType): string | null {
  let value: unknown
  try {
    value = json === null ? null : JSON.parse(json)
  } catch {
    return 'no JSON' // what it is instead does not matter
  }
  const parsed = schema.safeParse(value)
  return parsed.success ? null : z.prettifyError(parsed.error).replace(/\s+/g, ' ')
}

const NO_LINE = JSON.stringify({
  kind: 'warning_given',
  message: 'this line of the log was damaged in the store; see logs --raw',
})

/** Of columns that must hold something. */
const UNKNOWN: Readonly<Record<string, string>> = { body_json: NO_LINE, subscriber_json: 'null' }

/** Sets what is damaged, and not vital, to what says that it is not known. */
export function clearDamage(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    for (const table of TABLES) {
      for (const [column, schema] of Object.entries(columnSchemas[table])) {
        if (!VITAL.includes(`${table}.${column}`)) clearColumn(database, table, column, schema)
      }
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function clearColumn(
  database: DatabaseSync,
  table: Table,
  column: string,
  schema: z.ZodMiniType,
): void {
  const rows = database.prepare(`SELECT rowid AS id, ${column} AS json FROM ${table}`).all()
  const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`)
  for (const { id, json } of rows as { id: number; json: string | null }[]) {
    if (findProblem(json, schema) === null) continue
    update.run(UNKNOWN[column] ?? null, id)
  }
}
