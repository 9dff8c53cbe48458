/**
 * What Claude Code keeps of its sessions: a transcript of each, below the name of the directory that
 * it was begun in, whose lines say which that was; and `sessions/PID.json` for each process that has
 * one open (2.1.329; an older one does not write that down).
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod/mini'
import { asSessionId, type SessionId } from '../../domain/ids.ts'
import type { KeptSession, KeptSessions } from '../../ports/agent.ts'
import { configDirectory, nameProject } from '../claude-configuration.ts'
import { newestFirst } from '../files-by-age.ts'
import { namesIn } from '../names-in.ts'
import { findJson } from '../read-json.ts'

const openSession = z.looseObject({
  pid: z.int(),
  sessionId: z.string(),
  /** Of the process: what `/proc` says of it, where there is one. */
  procStart: z.optional(z.string()),
})

export const claudeKeptSessions: KeptSessions = {
  find(session, environment) {
    const config = configDirectory(environment)
    const transcript = namesIn(join(config, 'projects'))
      .map(project => join(config, 'projects', project, `${session}.jsonl`))
      .find(path => existsSync(path))
    if (transcript === undefined) return undefined
    return { session, directory: findDirectory(transcript), openIn: whoHasOpen(session, config) }
  },
  newestIn(directory, since, environment) {
    const project = join(configDirectory(environment), 'projects', nameProject(directory))
    const transcripts = namesIn(project)
      .filter(name => name.endsWith('.jsonl'))
      .map(name => join(project, name))
    const [newest] = newestFirst(transcripts, since)
    return newest === undefined ? undefined : asSessionId(basename(newest, '.jsonl'))
  },
}

/** Not every line says it; the first that does, says where it began. */
function findDirectory(transcript: string): string | null {
  const said = /"cwd":("(?:[^"\\]|\\.)*")/.exec(readFileSync(transcript, 'utf8'))?.[1]
  return said === undefined ? null : JSON.parse(said)
}

function whoHasOpen(session: SessionId, config: string): KeptSession['openIn'] {
  const directory = join(config, 'sessions')
  if (!existsSync(directory)) return 'unknown'
  for (const name of namesIn(directory)) {
    const open = /^\d+\.json$/.test(name) ? findJson(join(directory, name), openSession) : undefined
    if (open?.sessionId === session && isAlive(open.pid, open.procStart)) return { pid: open.pid }
  }
  return 'nobody'
}

/** One that was killed leaves its file behind, and its number may be somebody else's by now. */
function isAlive(pid: number, startTime: string | undefined): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  if (startTime === undefined || !existsSync('/proc/self/stat')) return true
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name in parentheses, which may hold anything, it is the twentieth word.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === startTime
  } catch {
    return false // It went in this very moment.
  }
}
