/**
 * What Codex keeps of its threads: a record of each, whose first line says where it was begun; and,
 * while a process writes to it, `thread-writer-locks/ID.lock`, under an exclusive lock (0.169.0). A
 * file that a killed one has left there is locked by nobody.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { asSessionId } from '../../domain/ids.ts'
import type { KeptSession, KeptSessions } from '../../ports/agent.ts'
import { codexHome } from '../codex-configuration.ts'
import { findRecord, newestRecords } from '../codex-sessions.ts'
import { newestFirst } from '../files-by-age.ts'
import { readFirstLine } from '../first-line.ts'

const meta = z.looseObject({
  type: z.literal('session_meta'),
  payload: z.looseObject({ id: z.string(), cwd: z.optional(z.string()) }),
})

export const codexKeptSessions: KeptSessions = {
  find(session, environment) {
    const home = codexHome(environment)
    const record = findRecord(session, home)
    if (record === undefined) return undefined
    const directory = readMeta(record)?.cwd ?? null
    return {
      session,
      directory,
      openIn: whoWrites(join(home, 'thread-writer-locks', `${session}.lock`)),
    }
  },
  newestIn(directory, since, environment) {
    for (const record of newestFirst(newestRecords(codexHome(environment)), since)) {
      const found = readMeta(record)
      if (found?.cwd === directory) return asSessionId(found.id)
    }
    return undefined
  },
}

function readMeta(record: string) {
  return meta.safeParse(readFirstLine(record)).data?.payload
}

/** Linux says which files are locked, and by whom; elsewhere Codex itself refuses a second writer. */
function whoWrites(lock: string): KeptSession['openIn'] {
  const file = statSync(lock, { throwIfNoEntry: false })
  if (file === undefined) return 'nobody'
  let locks: string
  try {
    locks = readFileSync('/proc/locks', 'utf8')
  } catch {
    return 'unknown'
  }
  const holder = locks
    .split('\n')
    .map(line => /^\d+: FLOCK\s+ADVISORY\s+WRITE\s+(\d+) \S+:(\d+) /.exec(line))
    .find(match => match !== null && Number(match[2]) === file.ino)
  return holder?.[1] === undefined ? 'nobody' : { pid: Number(holder[1]) }
}
