import type { DatabaseSync } from 'node:sqlite'
import { endedStates } from '../domain/task.ts'

/** In place of a version: this store is on its way out. */
export const ENDED_VERSION = 1_000_000_000

/**
 * See `Store.end`. A process that waits for its turn to write finds no table; one that comes later
 * finds the version.
 */
export function endStore(raw: DatabaseSync, tasks: number): boolean {
  raw.exec('PRAGMA foreign_keys = OFF')
  raw.exec('BEGIN EXCLUSIVE')
  try {
    const { known, open } = raw
      .prepare(
        `SELECT count(*) AS known, count(*) FILTER (WHERE state NOT IN (${endedStates.map(() => '?').join()})) AS open FROM tasks`,
      )
      .get(...endedStates) as { known: number; open: number }
    if (known !== tasks || open > 0) {
      raw.exec('ROLLBACK')
      return false
    }
    const tables = raw
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all() as { name: string }[]
    for (const { name } of tables) raw.exec(`DROP TABLE "${name}"`)
    raw.exec(`PRAGMA user_version = ${ENDED_VERSION}`)
    raw.exec('COMMIT')
    return true
  } catch (error) {
    raw.exec('ROLLBACK')
    throw error
  }
}
