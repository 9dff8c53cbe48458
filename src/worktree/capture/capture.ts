/**
 * Turns the differences of a working tree into blobs, for a commit. Reads every changed file itself,
 * so that one bad file costs that file and not the capture, and names in words what it could not
 * take. What git then says it stored is compared with what was read: `read-back.ts`.
 */

import {
  type FileReading,
  type Found,
  makeLook,
  type Other,
  readFileOnce,
} from '../files/contents.ts'
import { type BytePath, isForbiddenPath } from '../files/paths.ts'
import { type ConversionReader, startConversionReader } from '../git/conversion.ts'
import { type FastImport, startFastImport } from '../git/fast-import.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { readSettings, type Settings } from '../git/settings.ts'
import type { TreeEntry } from '../git/status.ts'
import type { CaptureSource, Change } from './change.ts'
import { Taking } from './taking.ts'

/** So much is held in memory while git says what it would convert: nearly always, everything. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024

/** What the working tree has instead; null: it is gone. */
export type Delta = ReadonlyMap<BytePath, TreeEntry | null>

export interface Taken {
  readonly delta: Delta
  /** What was not taken, or not as it is, in words, each with its path. */
  readonly leftOut: readonly string[]
  /** The blobs of what a checkout would give other bytes: `verbatim.ts`. */
  readonly verbatim: ReadonlyMap<BytePath, string>
  /** What git has stored in another form, and a checkout would give back. */
  readonly converted: readonly BytePath[]
  /** What the index alone has, because a sparse checkout leaves it out. */
  readonly unchecked: readonly BytePath[]
}

/** One capture under way: the files are read, the commits not yet made. */
export interface Capture extends Taken {
  readonly importer: FastImport
}

/** What each capture needs, started before it is known what there is to take. */
export interface StartedCapture {
  readonly importer: FastImport
  readonly conversions: ConversionReader
  /** One spawn, at the first call. */
  settings(): Promise<Settings>
  /** Gives what git said if the disk is full: whatever else failed, failed because of that. */
  abort(): Promise<GitError | undefined>
}

/**
 * Two spawns. The conversions are yet to be asked for the paths that are present. Whoever starts it
 * also ends it: by a capture, or by `abort`.
 */
export function startCapture(git: Git, source: GitPlace, target: GitPlace): StartedCapture {
  const conversions = startConversionReader(git, source)
  const importer = startFastImport(git, target)
  let reading: Promise<Settings> | undefined
  const settings = () => {
    reading ??= readSettings(git, source)
    return reading
  }
  const abort = async () => {
    const [ending] = await Promise.all([importer.abort(), conversions.end()])
    return ending instanceof GitError && ending.isFull ? ending : undefined
  }
  return { importer, conversions, settings, abort }
}

export function presentPaths(changes: readonly Change[]): BytePath[] {
  return changes.filter(change => change.present).map(change => change.path)
}

/**
 * Reads the changes and stores their blobs, then lets `conclude` make the commits. If anything
 * fails there is no ref (`conclude` has ordered it, but git makes it last).
 */
export async function withCapture<T>(
  git: Git,
  started: StartedCapture,
  source: CaptureSource,
  changes: readonly Change[],
  conclude: (capture: Capture) => Promise<T>,
): Promise<T> {
  const { importer } = started
  try {
    const taken = await takeChanges(git, started, source, changes)
    return await conclude({ ...taken, importer })
  } catch (error) {
    throw (await started.abort()) ?? error
  }
}

async function takeChanges(
  git: Git,
  { importer, conversions, settings }: StartedCapture,
  source: CaptureSource,
  changes: readonly Change[],
): Promise<Taken> {
  // While git looks at their attributes.
  const sights = lookAtAll(source.root, changes)
  const conversionOf = await conversions.answer()
  const taking = new Taking(source, importer, settings)
  const converted: Change[] = []
  for (const { change, seen, reading } of sights) {
    const { path } = change
    if (typeof seen === 'string') taking.leaveOut(path, seen)
    else if (seen.kind === 'submodule') taking.takeGitlink(change, seen.commit)
    else if (seen.kind === 'gone' && change.unchecked !== null) taking.takeUnchecked(change)
    else if (seen.kind !== 'file') await taking.takeOther(change, seen)
    else if ((await taking.takeFile(change, conversionOf(path), reading)) === 'needs git') {
      converted.push(change)
    }
  }
  await taking.takeConverted(git, converted)
  return taking
}

interface Submodule {
  readonly kind: 'submodule'
  readonly commit: string
}

/** What stands at the path of a change, or in words why it is left out. */
interface Sight {
  readonly change: Change
  readonly seen: Found | Submodule | string
  /** A first reading of a file, while there is room for it. */
  readonly reading: FileReading | Other | undefined
}

function lookAtAll(root: string, changes: readonly Change[]): Sight[] {
  const look = makeLook(root)
  let room = READ_AHEAD_BYTES
  return changes.map(change => {
    const seen = seenAt(look, change)
    if (typeof seen === 'string' || seen.kind !== 'file' || seen.size > room) {
      return { change, seen, reading: undefined }
    }
    room -= seen.size
    return { change, seen, reading: readFileOnce(root, change.path) }
  })
}

function seenAt(
  look: (path: BytePath) => Found,
  { path, present, gitlink }: Change,
): Found | Submodule | string {
  const found: Found = present ? look(path) : { kind: 'gone' }
  if (isForbiddenPath(path)) return 'not taken: git refuses this name'
  if (gitlink !== null && found.kind === 'directory') {
    return 'refused' in gitlink
      ? `not taken: ${gitlink.refused}`
      : { kind: 'submodule', commit: gitlink.commit }
  }
  if (path.endsWith('/')) return 'not taken: a repository inside the repository'
  return found
}
