/**
 * The files of one attempt (`docs/reference/run-directory.md`). Whatever is missing, torn or not
 * understood is "not known"; nothing here guesses.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, readdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import { asFence, type Fence, parseTaskId, type TaskId } from '../domain/ids.ts'
import { type AgentExit, parseShellStatus } from '../domain/outcome.ts'
import type { LaunchPlan } from '../ports/process-host.ts'
import type { LocalIdentity, Place } from '../ports/process-table.ts'
import { parseIdentityLine } from './identity.ts'
import { isGone } from './is-gone.ts'
import type { Scope } from './scopes.ts'
import { SET_UP_FILES, setUpScript } from './set-up.ts'

const launchRecord = z.object({
  version: z.literal(1),
  task: z.string(),
  fence: z.int(),
  argv: z.array(z.string()),
  workingDirectory: z.string(),
  /** What was put around the agent; missing: nothing. */
  enclosure: z.optional(z.object({ argv: z.array(z.string()), generations: z.int() })),
  /** The scope that was to be its own; missing: none. */
  scope: z.optional(z.object({ unit: z.string(), memoryBytes: z.nullable(z.number()) })),
  /** Somebody at a terminal starts it; missing: it is started by whoever launches it. */
  terminal: z.optional(z.object({ marked: z.boolean() })),
  /** The value of `MARK_VARIABLE`. */
  mark: z.string(),
  /** Names only: values may be secrets. */
  environmentNames: z.array(z.string()),
  machine: z.string(),
  boot: z.string(),
  pidNamespace: z.string(),
  /** Milliseconds since 1970. */
  launchedAt: z.number(),
})

export type LaunchRecord = z.infer<typeof launchRecord>

const exitRecord = z.union([
  z.object({ status: z.int().check(z.gte(0), z.lte(255)) }),
  z.object({ failure: z.enum(['cwd', 'start']) }),
])

/** What is said by systemd-run, and by the control group of the attempt. */
const SCOPE_FILES = ['scope.log', 'cgroup', 'memory.events']

/** The value of the mark up to the nonce, which keeps apart stores that gave out the same id. */
export function markPrefix(task: TaskId, fence: number): string {
  return `${task}.${fence}.`
}

/** Whose mark it is; undefined for what is no mark of ours. */
export function parseMark(mark: string): { task: TaskId; fence: Fence } | undefined {
  const [id = '', number = '', nonce] = mark.split('.')
  const task = parseTaskId(id)
  if (task === undefined || nonce === undefined || !/^(0|[1-9]\d{0,8})$/.test(number))
    return undefined
  return { task, fence: asFence(Number(number)) }
}

/**
 * Makes the run directory and everything in it that stands before the wrapper starts; all of it is
 * on disk when this resolves. A directory that was used before is refused: that is a bug.
 */
export async function createRunDirectory(
  plan: LaunchPlan,
  mark: string,
  place: Place,
  scope: Pick<Scope, 'unit' | 'memoryBytes'> | null = null,
): Promise<void> {
  const directory = plan.runDirectory
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if ((await readdir(directory)).length > 0) {
    throw new Error(`the run directory ${directory} has been used before`)
  }
  reach('launch.directory-made')
  await writeNew(directory, 'stdin', plan.stdin)
  if ((plan.brief ?? null) !== null) await writeNew(directory, 'brief', plan.brief ?? '')
  reach('launch.stdin-written')
  // Made here, so that the wrapper need not change the umask that the agent inherits. Synced with
  // the directory.
  const { setUp, enclosure } = plan
  const asked = [
    ...(setUp ? SET_UP_FILES : []),
    ...(enclosure ? ['holder'] : []),
    ...(scope ? SCOPE_FILES : []),
  ]
  for (const name of ['stdout', 'stderr', 'wrapper', 'pid', ...asked]) {
    writeFileSync(join(directory, name), '', { flag: 'wx', mode: 0o600 })
  }
  if (setUp !== null) await writeNew(directory, 'set-up', setUpScript(directory, setUp))
  reach('launch.files-made')
  const record: LaunchRecord = {
    version: 1,
    task: plan.task,
    fence: plan.fence,
    argv: [...plan.argv],
    workingDirectory: plan.workingDirectory,
    ...(enclosure && {
      enclosure: { argv: [...enclosure.argv], generations: enclosure.generations },
    }),
    ...(plan.terminal && { terminal: { marked: plan.terminal.marked } }),
    ...(scope && { scope: { unit: scope.unit, memoryBytes: scope.memoryBytes } }),
    mark,
    environmentNames: Object.keys(plan.environment).sort(),
    ...place,
    launchedAt: Date.now(),
  }
  await writeNew(directory, 'launch.json.new', `${JSON.stringify(record)}\n`)
  reach('launch.record-written')
  await rename(join(directory, 'launch.json.new'), join(directory, 'launch.json'))
  reach('launch.record-renamed')
  await syncPath(directory)
  await syncPath(dirname(directory))
  reach('launch.record-synced')
}

/**
 * From here on no agent of this attempt starts, however late its wrapper comes to it: it writes
 * itself down, and then looks for this file. To be called before one looks whether it has.
 */
export function voidRun(runDirectory: string): void {
  try {
    // It need not outlast a power cut, which no process does either.
    writeFileSync(join(runDirectory, 'void'), '', { mode: 0o600 })
  } catch (error) {
    if (!isGone(error)) throw error // without a run directory there is nothing to start
  }
  reach('stop.voided')
}

/**
 * Drops what was being written when its writer was killed, and an offer that nobody took. To be
 * called when nobody writes any more.
 */
export function dropUnfinished(runDirectory: string): void {
  for (const name of ['launch.json.new', 'exit.json.new']) {
    rmSync(join(runDirectory, name), { force: true })
  }
  dropOffer(runDirectory)
}

/** It holds an environment, also where whoever took it was killed as it read it. */
export function dropOffer(runDirectory: string): void {
  let names: string[]
  try {
    names = readdirSync(runDirectory)
  } catch (error) {
    if (isGone(error)) return
    throw error
  }
  for (const name of names) {
    if (name.startsWith('offer.json')) rmSync(join(runDirectory, name), { force: true })
  }
}

/** Makes what a process wrote into the run directory outlast a power cut. */
export async function syncPath(path: string): Promise<void> {
  await withFile(path, 'r', file => file.sync())
}

export async function writeNew(directory: string, name: string, content: Uint8Array | string) {
  await withFile(join(directory, name), 'wx', async file => {
    await file.writeFile(content)
    await file.sync()
  })
}

async function withFile(path: string, flags: string, work: (file: FileHandle) => Promise<void>) {
  const file = await open(path, flags, 0o600)
  try {
    await work(file)
  } finally {
    await file.close()
  }
}

/** `unreadable`: it stands there, but says nothing that we understand. */
export type LoadedLaunch =
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly modifiedAt: number }
  | { readonly kind: 'loaded'; readonly record: LaunchRecord }

export function loadLaunch(runDirectory: string): LoadedLaunch {
  const path = join(runDirectory, 'launch.json')
  const text = readIfThere(path)
  if (text === undefined) return { kind: 'missing' }
  const record = launchRecord.safeParse(parseJson(text))
  if (record.success) return { kind: 'loaded', record: record.data }
  return { kind: 'unreadable', modifiedAt: statSync(path).mtimeMs }
}

/** The wrapper, the agent process, or what is put around it, as it wrote itself down; undefined: not (yet) completely. */
export function loadIdentity(
  runDirectory: string,
  who: 'wrapper' | 'pid' | 'set-up.pid' | 'holder' | 'opener',
): LocalIdentity | undefined {
  return parseIdentityLine(readIfThere(join(runDirectory, who)) ?? '')
}

/** The process that is the agent, or that will become it once its set-up is over. */
export function loadAgent(runDirectory: string): LocalIdentity | undefined {
  return loadIdentity(runDirectory, 'pid') ?? loadIdentity(runDirectory, 'set-up.pid')
}

/** How the attempt ended, as the wrapper wrote it. `not_started`: no agent process ever ran. */
export type LoadedExit =
  | { readonly kind: 'missing' }
  | { readonly kind: 'torn' }
  | { readonly kind: 'not_started'; readonly failure: 'cwd' | 'start' }
  | { readonly kind: 'ended'; readonly exit: AgentExit }

export function loadExit(runDirectory: string): LoadedExit {
  const path = join(runDirectory, 'exit.json')
  // Asked first because it is the common answer, and far cheaper than a failed open.
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return { kind: 'missing' }
  const text = readIfThere(path)
  if (text === undefined) return { kind: 'missing' }
  const record = exitRecord.safeParse(parseJson(text))
  if (!record.success) return { kind: 'torn' }
  return 'status' in record.data
    ? { kind: 'ended', exit: parseShellStatus(record.data.status) }
    : { kind: 'not_started', failure: record.data.failure }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isGone(error)) return undefined
    throw new Error(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // torn: no schema accepts undefined
  }
}

/**
 * Somebody who knows says that the processes of this attempt are gone, though they cannot be looked
 * for from here: of a container that was removed, of a machine that was replaced.
 */
export function declareGone(runDirectory: string): void {
  writeFileSync(join(runDirectory, 'gone'), '', { mode: 0o600 })
}

export function isDeclaredGone(runDirectory: string): boolean {
  return statSync(join(runDirectory, 'gone'), { throwIfNoEntry: false }) !== undefined
}
