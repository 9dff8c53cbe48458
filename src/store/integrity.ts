/** Whether the store is sound: SQLite's own structure, then the shape of every JSON column. */
import type { DatabaseSync } from 'node:sqlite'
import * as z from 'zod/mini'
import { columnSchemas } from './column-schemas.ts'

/** How many findings are worth reading. */
const MOST = 20

/** What is wrong, in words; null where nothing is. Reads everything. */
export function findDamage(database: DatabaseSync): string | null {
  const structure = database.prepare('PRAGMA integrity_check').all() as {
    integrity_check: string
  }[]
  const found = structure.map(row => row.integrity_check).filter(text => text !== 'ok')
  for (const [table, columns] of Object.entries(columnSchemas)) {
    for (const [column, schema] of Object.entries(columns)) {
      const rows = database.prepare(`SELECT rowid AS id, ${column} AS json FROM ${table}`)
      for (const { id, json } of rows.iterate() as Iterable<{ id: number; json: string | null }>) {
        const problem = findProblem(json, schema)
        if (problem !== null) found.push(`${table}.${column} of row ${id}: ${problem}`)
        if (found.length >= MOST) return found.join('; ')
      }
    }
  }
  return found.length === 0 ? null : found.join('; ')
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
