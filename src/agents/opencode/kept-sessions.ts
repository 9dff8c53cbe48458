/**
 * What OpenCode keeps of its sessions: rows of its database (1.18.33). Nothing says whether a process
 * has one open.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import * as z from 'zod/mini'
import { asSessionId } from '../../domain/ids.ts'
import type { Environment, KeptSessions } from '../../ports/agent.ts'
import { databaseOf } from './configuration.ts'

const row = z.object({ id: z.string(), directory: z.string() })

export const openCodeKeptSessions: KeptSessions = {
  find(session, environment) {
    const found = ask(environment, 'SELECT id, directory FROM session WHERE id = ?', session)
    return found && { session, directory: found.directory, openIn: 'unknown' }
  },
  newestIn(directory, since, environment) {
    const found = ask(
      environment,
      // One of a subagent is nobody's to go on with.
      `SELECT id, directory FROM session WHERE directory = ? AND time_updated >= ? AND parent_id IS NULL
       ORDER BY time_updated DESC LIMIT 1`,
      directory,
      since,
    )
    return found && asSessionId(found.id)
  },
}

/** Undefined: there is no such row; or no such table, in a version that we do not know. */
function ask(environment: Environment, query: string, ...values: SQLInputValue[]) {
  const path = databaseOf(environment)
  if (!existsSync(path)) return undefined
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 2_000 })
    try {
      return row.safeParse(database.prepare(query).get(...values)).data
    } finally {
      database.close()
    }
  } catch {
    return undefined
  }
}
