/** Where Codex keeps its sessions: `sessions/YYYY/MM/DD/rollout-…-ID.jsonl` in its home. */
import { join } from 'node:path'
import type { SessionId } from '../domain/ids.ts'
import { namesIn } from './names-in.ts'

export const sessionsOf = (codexHome: string) => join(codexHome, 'sessions')

/** The record of a session, by the home that it was begun in; undefined: there is none. */
export function findRecord(session: SessionId, codexHome: string): string | undefined {
  return findBelow(session, sessionsOf(codexHome), 3)
}

/** It lies under the day on which it began, of the user's calendar: the newest days are looked at first. */
function findBelow(session: SessionId, directory: string, depth: number): string | undefined {
  for (const name of namesIn(directory).sort().reverse()) {
    if (depth > 0) {
      const found = findBelow(session, join(directory, name), depth - 1)
      if (found !== undefined) return found
    } else if (name.endsWith(`${session}.jsonl`)) return join(directory, name)
  }
  return undefined
}

/** How many days of records are looked through for the one that was written last. */
const LOOK_BACK_DAYS = 60

/** The records of the newest days; a thread lies under the day on which it began. */
export function newestRecords(codexHome: string): readonly string[] {
  const below = (directories: readonly string[]) =>
    directories.flatMap(directory =>
      namesIn(directory)
        .sort()
        .reverse()
        .map(name => join(directory, name)),
    )
  const days = below(below(below([sessionsOf(codexHome)])))
  return below(days.slice(0, LOOK_BACK_DAYS)).filter(path => path.endsWith('.jsonl'))
}
