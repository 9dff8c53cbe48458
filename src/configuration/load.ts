/**
 * Reads what was set beforehand: environment variables, the repository's `holdfast.json`, the
 * user's `config.json`. Where nothing is set that costs two failed opens; zod is loaded only for
 * what is there. Refuses with `bad_configuration`.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from '../domain/configuration.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { Place } from './schema.ts'

export const REPOSITORY_FILE = 'holdfast.json'
export const USER_FILE = 'config.json'

/** A file that people write by hand; a larger one is something else. */
const LARGEST_FILE = 1_000_000

const VARIABLES = {
  agent: 'HOLDFAST_AGENT',
  model: 'HOLDFAST_MODEL',
  effort: 'HOLDFAST_EFFORT',
  permissions: 'HOLDFAST_PERMISSIONS',
  codexHome: 'HOLDFAST_CODEX_HOME',
  talk: 'HOLDFAST_TALK',
  slots: 'HOLDFAST_SLOTS',
  stallSeconds: 'HOLDFAST_STALL_SECONDS',
  keepWorktrees: 'HOLDFAST_KEEP_WORKTREES',
  spareWorktrees: 'HOLDFAST_SPARE_WORKTREES',
  snapshotSeconds: 'HOLDFAST_SNAPSHOT_SECONDS',
  idleDays: 'HOLDFAST_IDLE_DAYS',
  diskBytes: 'HOLDFAST_DISK_BYTES',
  memoryBytes: 'HOLDFAST_MEMORY_BYTES',
} as const

/** Those that are whole numbers. */
const NUMBERS: readonly string[] = [
  'slots',
  'stallSeconds',
  'keepWorktrees',
  'spareWorktrees',
  'snapshotSeconds',
  'idleDays',
  'diskBytes',
  'memoryBytes',
]

export interface ConfigurationSources {
  /** The top of the caller's checkout; null: none is looked at. */
  readonly root: string | null
  /** The state directory. */
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The agents that take a prompt. */
  readonly agents: () => Promise<readonly string[]>
}

/** What one place says, before it is checked. */
interface Said {
  readonly place: Place
  /** The file, for messages; null: environment variables. */
  readonly file: string | null
  readonly value: unknown
}

export async function loadConfiguration(sources: ConfigurationSources): Promise<Configuration> {
  const { root, home, environment } = sources
  const said = [
    readVariables(environment),
    root === null ? undefined : readSettings('repository', join(root, REPOSITORY_FILE)),
    readSettings('user', join(home, USER_FILE)),
  ].filter(one => one !== undefined)
  const nothing: Configuration = { environment: {}, repository: {}, user: {} }
  if (said.length === 0) return nothing
  const { checkSettings } = await import('./check.ts')
  const agents = await sources.agents()
  const checked = said.map(one => [one.place, checkSettings(one, agents)] as const)
  return { ...nothing, ...Object.fromEntries(checked) }
}

function readVariables(environment: ConfigurationSources['environment']): Said | undefined {
  const value: Record<string, unknown> = {}
  for (const [key, variable] of Object.entries(VARIABLES)) {
    const text = environment[variable]
    // Set but empty is how people unset one.
    if (text) value[key] = NUMBERS.includes(key) && /^\d+$/.test(text) ? Number(text) : text
  }
  return Object.keys(value).length === 0 ? undefined : { place: 'environment', file: null, value }
}

function readSettings(place: Place, file: string): Said | undefined {
  const text = readIfThere(file)
  if (text === undefined) return undefined
  try {
    return { place, file, value: JSON.parse(text) }
  } catch (error) {
    throw new AppError('bad_configuration', `${file} is no JSON: ${messageOf(error)}`, {
      hint: 'for example: { "agent": "codex" }',
    })
  }
}

/** The text of a plain file; a FIFO in its place does not hold us up. */
export function readIfThere(file: string): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(file, messageOf(error))
  }
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) throw unreadable(file, 'it is no plain file')
    if (stats.size > LARGEST_FILE) throw unreadable(file, `it is over ${LARGEST_FILE} bytes`)
    return readFileSync(descriptor, 'utf8').replace(/^\uFEFF/, '')
  } finally {
    closeSync(descriptor)
  }
}

function unreadable(file: string, why: string): AppError {
  return new AppError('bad_configuration', `${file} cannot be read: ${why}`)
}
