/** A conversation with Claude Code, as another agent can read it: what both said, and what was done. */
import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { AppError, messageOf } from '../../domain/errors.ts'

/** The newest of it; more would fill what the agent can keep in mind. */
const MOST_CHARACTERS = 100_000
/** Of the file; most of it is what tools have answered. */
const MOST_BYTES = 16_000_000
/** Of one call of a tool. */
const CALL_KEPT = 300

/** The file that its user names: no shell has put the home in the place of a tilde. */
export function findTranscript(named: string, { directory, environment }: Place): string {
  return resolve(directory, named.replace(/^~(?=\/)/, environment.HOME || homedir()))
}

interface Place {
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Refuses with `refused_in_state` where there is nothing to read. */
export async function readTranscript(path: string): Promise<string> {
  let text: string
  try {
    text = await readEnd(path)
  } catch (cause) {
    throw noTranscript(`it cannot be read: ${messageOf(cause)}`, cause)
  }
  const parts = text.split('\n').flatMap(describeLine)
  let length = 0
  let from = parts.length
  while (from > 0 && length + (parts[from - 1]?.length ?? 0) <= MOST_CHARACTERS) {
    from--
    length += parts[from]?.length ?? 0
  }
  const kept = parts.slice(from)
  if (kept.length === 0) throw noTranscript(`nothing is said in ${path}`)
  return [...(from > 0 ? ['(What came before is left out.)'] : []), ...kept].join('\n\n')
}

function noTranscript(why: string, cause?: unknown): AppError {
  return new AppError('refused_in_state', `there is no conversation to hand over: ${why}`, {
    hint: 'say in words what is to be done: rescue',
    cause,
  })
}

async function readEnd(path: string): Promise<string> {
  await using file = await open(path)
  const { size } = await file.stat()
  const from = Math.max(0, size - MOST_BYTES)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
  const text = buffer.toString('utf8', 0, bytesRead)
  return from === 0 ? text : text.slice(text.indexOf('\n') + 1)
}

interface Line {
  readonly type?: unknown
  readonly isMeta?: unknown
  readonly isSidechain?: unknown
  readonly message?: { readonly content?: unknown }
}

/** Nothing of a line that is none, of a subagent, or of what Claude Code itself adds. */
function describeLine(text: string): string[] {
  let line: Line | null
  try {
    line = JSON.parse(text)
  } catch {
    return [] // The last one may be half written.
  }
  if (line?.isMeta === true || line?.isSidechain === true) return []
  const who = { user: 'The user', assistant: 'Claude' }[String(line?.type)]
  if (who === undefined) return []
  const content = line?.message?.content
  const blocks: readonly unknown[] = typeof content === 'string' ? [content] : asList(content)
  return blocks.flatMap(block => describeBlock(who, block))
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function describeBlock(who: string, block: unknown): string[] {
  if (typeof block === 'string') return describeWords(who, block)
  const { type, text, name, input } = (block ?? {}) as Readonly<Record<string, unknown>>
  if (type === 'text' && typeof text === 'string') return describeWords(who, text)
  if (type !== 'tool_use') return []
  return [`[${who} used ${String(name)}: ${JSON.stringify(input ?? {}).slice(0, CALL_KEPT)}]`]
}

/** What begins with a tag of Claude Code's own is nobody's words. */
function describeWords(who: string, text: string): string[] {
  const words = text.trim()
  if (words === '' || /^<(?:system-reminder|task-notification|local-command)/.test(words)) return []
  return [`${who}: ${words}`]
}
