/**
 * What an application does to each file, written down before it touches the first: from this it is
 * taken back, finished or not. `tasks/<id>/applied/<number>.json`; the old contents are held by
 * `refs/holdfast/<id>/undo/<number>` in the target's repository.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { AppError, messageOf } from '../../domain/errors.ts'
import { type CommitId, parseCommitId, parseTaskId, type TaskId } from '../../domain/ids.ts'
import type { HeadMove } from '../../domain/task.ts'
import type { Application } from '../../ports/applications.ts'
import type { ObjectFormat } from '../files/contents.ts'
import { syncFile } from '../files/durable-file.ts'
import type { BytePath } from '../files/paths.ts'
import { makeStandingLook } from '../files/standing.ts'
import type { ExistingDirectory } from './obstacles.ts'
import type { PlannedChange } from './plan-application.ts'

export interface Journal extends Omit<Application, 'isWhole' | 'isPick' | 'head'> {
  /** `writing` and `undoing`: some files may be as before, some as after. */
  readonly state: 'writing' | 'applied' | 'undoing'
  readonly format: ObjectFormat
  readonly changes: readonly PlannedChange[]
  readonly made: readonly BytePath[]
  readonly emptied: readonly ExistingDirectory[]
  /** With the files HEAD moves, and once it has, they go only forward; null: it stays. */
  readonly move: HeadMove | null
}

const bytePath = z.pipe(
  z.string(),
  z.transform(text => text as BytePath),
)
const standing = z.nullable(
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('file'), object: z.string(), size: z.number(), mode: z.number() }),
    z.object({ kind: z.literal('link'), object: z.string() }),
  ]),
)
const commit = z.pipe(
  z.string().check(z.refine(text => parseCommitId(text) !== undefined)),
  z.transform(text => text as CommitId),
)
const journalFile = z.object({
  version: z.literal(1),
  task: z.pipe(
    z.string().check(z.refine(text => parseTaskId(text) !== undefined)),
    z.transform(text => text as TaskId),
  ),
  number: z.number(),
  root: z.string(),
  at: z.number(),
  // Journals of before have none.
  isHandBack: z._default(z.boolean(), false),
  state: z.enum(['writing', 'applied', 'undoing']),
  format: z.enum(['sha1', 'sha256']),
  /** Paths have one character per byte. */
  changes: z.array(z.object({ path: bytePath, before: standing, after: standing })),
  made: z.array(bytePath),
  emptied: z.array(z.object({ path: bytePath, mode: z.number() })),
  // Journals of before have none.
  move: z._default(
    z.nullable(z.object({ from: commit, commit, branch: z.exactOptional(z.nullable(z.string())) })),
    null,
  ),
})

/**
 * Looks at what stands at the paths of a journal now. A directory that came or went with the
 * application is nothing that stands there.
 */
export function makeJournalLook({ root, format, made, emptied }: Journal) {
  const passing = new Set([...made, ...emptied.map(({ path }) => path)])
  const look = makeStandingLook(root, format)
  return (path: BytePath) => {
    const found = look(path)
    return found?.kind === 'directory' && passing.has(path) ? null : found
  }
}

/** Where an application to a checkout is prepared; what a killed one has left is cleared away. */
export function clearScratch(taskDirectory: string, root: string): string {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
  const scratch = join(taskDirectory, `applying-${name}`)
  rmSync(scratch, { recursive: true, force: true })
  return scratch
}

const directoryOf = (taskDirectory: string) => join(taskDirectory, 'applied')

export function journalPath(taskDirectory: string, number: number): string {
  return join(directoryOf(taskDirectory), `${number}.json`)
}

/** Undefined: there is none. */
export function readJournal(path: string): Journal | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  // A number that was reserved by somebody who was killed right then.
  if (text === '') return undefined
  try {
    return journalFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new AppError('refused_in_state', `${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** Oldest first. */
export function listJournals(taskDirectory: string): Journal[] {
  return numbersIn(taskDirectory).flatMap(
    number => readJournal(journalPath(taskDirectory, number)) ?? [],
  )
}

function numbersIn(taskDirectory: string): number[] {
  let names: string[]
  try {
    names = readdirSync(directoryOf(taskDirectory))
  } catch {
    // It was never applied.
    return []
  }
  const numbers = names.flatMap(name => /^(\d+)\.json$/.exec(name)?.[1] ?? [])
  return numbers.map(Number).sort((a, b) => a - b)
}

/** Writes a journal under the next number of its task; others may be looking for theirs. */
export function createJournal(taskDirectory: string, facts: Omit<Journal, 'number'>): Journal {
  mkdirSync(directoryOf(taskDirectory), { recursive: true, mode: 0o700 })
  let number = (numbersIn(taskDirectory).at(-1) ?? 0) + 1
  while (!reserve(journalPath(taskDirectory, number))) number++
  const journal = { ...facts, number }
  saveJournal(taskDirectory, journal)
  return journal
}

/** With an empty file, which is no journal yet. */
function reserve(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

/** Says how far it has come; on disk when it returns. */
export function saveJournal(taskDirectory: string, journal: Journal): void {
  const path = journalPath(taskDirectory, journal.number)
  const beside = `${path}.new`
  const file = openSync(beside, 'w', 0o600)
  try {
    writeFileSync(file, JSON.stringify({ version: 1, ...journal }))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
  syncFile(directoryOf(taskDirectory))
}

export function removeJournal(taskDirectory: string, { number }: Journal): void {
  unlinkSync(journalPath(taskDirectory, number))
  syncFile(directoryOf(taskDirectory))
}
