/**
 * What Claude Code keeps of its sessions: a transcript of each, below the name of the directory that
 * it was begun in, whose lines say which that was, and what its model reads; and `sessions/PID.json` for each process that has
 * one open (2.1.329; an older one does not write that down).
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod/mini'
import { asSessionId, type SessionId } from '../../domain/ids.ts'
import type { KeptSession, KeptSessions } from '../../ports/agent.ts'
import { configDirectory, nameProject } from '../claude-configuration.ts'
import { newestFirst } from '../files-by-age.ts'
import { namesIn } from '../names-in.ts'
import { findJson } from '../read-json.ts'
import { messageIds } from './dialogue/message-id.ts'

const openSession = z.looseObject({
  pid: z.int(),
  sessionId: z.string(),
  /** Of the process: what `/proc` says of it, where there is one. */
  procStart: z.optional(z.string()),
})

export const claudeKeptSessions: KeptSessions = {
  find(session, environment) {
    const config = configDirectory(environment)
    const transcript = findTranscript(session, config)
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
  async hold(session, messages, environment) {
    const transcript = findTranscript(session, configDirectory(environment))
    if (transcript === undefined) return []
    const ids = new Map(
      messages.flatMap(one => messageIds(one, session).map(id => [id, one.number] as const)),
    )
    const held = new Set<number>()
    for await (const line of linesOf(transcript)) {
      const isNamed = [...ids.keys()].some(id => line.includes(id))
      const number = isNamed ? ids.get(idOf(line) ?? '') : undefined
      if (number !== undefined) held.add(number)
    }
    return [...held]
  },
}

function findTranscript(session: SessionId, config: string): string | undefined {
  return namesIn(join(config, 'projects'))
    .map(project => join(config, 'projects', project, `${session}.jsonl`))
    .find(path => existsSync(path))
}

const READ_AT_ONCE = 1024 * 1024

/** It may be long, and `readline` would end a line at U+2028, too. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(path, {
    encoding: 'utf8',
    highWaterMark: READ_AT_ONCE,
  })) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** A message that begins a turn has its UUID there; one in mid-turn is attached, and names it. */
const placed = z.union([
  z.looseObject({ type: z.literal('user'), uuid: z.string() }),
  z.looseObject({
    type: z.literal('attachment'),
    attachment: z.looseObject({ type: z.literal('queued_command'), source_uuid: z.string() }),
  }),
])

/** The id of a message that a line puts before the model; undefined: it puts none there. */
function idOf(line: string): string | undefined {
  const found = parsePlaced(line)
  return found?.type === 'user' ? found.uuid : found?.attachment.source_uuid
}

function parsePlaced(line: string) {
  try {
    return placed.safeParse(JSON.parse(line)).data
  } catch {
    return undefined // The last one, torn.
  }
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
