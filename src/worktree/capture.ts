/**
 * Turns the differences of a working tree into blobs, for a commit. Reads every changed file itself,
 * so that one bad file costs that file and not the capture, and names in words what it could not
 * take. What git then says it stored is compared with what was read: `read-back.ts`.
 */
import type { CaptureSource, Change } from './change.ts'
import { type Found, makeLook } from './contents.ts'
import { readConversions } from './conversion.ts'
import { type FastImport, startFastImport } from './fast-import.ts'
import type { Git, GitPlace } from './git.ts'
import { type BytePath, isForbiddenPath } from './paths.ts'
import { readSettings } from './settings.ts'
import type { TreeEntry } from './status.ts'
import { Taking } from './taking.ts'

/** What the working tree has instead; null: it is gone. */
export type Delta = ReadonlyMap<BytePath, TreeEntry | null>

export interface Taken {
  readonly delta: Delta
  /** What was not taken, or not as it is, in words, each with its path. */
  readonly leftOut: readonly string[]
}

/** One capture under way: the files are read, the commits not yet made. */
export interface Capture extends Taken {
  readonly importer: FastImport
}

/**
 * Reads the changes and stores their blobs in `target`, then lets `conclude` make the commits. If
 * anything fails there is no ref (`conclude` has ordered it, but git makes it last).
 */
export async function withCapture<T>(
  git: Git,
  source: CaptureSource,
  target: GitPlace,
  changes: readonly Change[],
  conclude: (capture: Capture) => Promise<T>,
): Promise<T> {
  const importer = startFastImport(git, target)
  try {
    const taken = await takeChanges(git, source, changes, importer)
    return await conclude({ ...taken, importer })
  } catch (error) {
    await importer.abort()
    throw error
  }
}

async function takeChanges(
  git: Git,
  source: CaptureSource,
  changes: readonly Change[],
  importer: FastImport,
): Promise<Taken> {
  const present = changes.filter(change => change.present).map(change => change.path)
  const settings = readSettings(git, source.place)
  // It is awaited below; should the conversions fail before it does, it is heard here.
  settings.catch(() => undefined)
  const conversionOf = await readConversions(git, source.place, present, settings)
  const { fileMode } = await settings

  const taking = new Taking(source, importer, fileMode)
  const converted: Change[] = []
  for (const { change, found } of classify(taking, source.root, changes)) {
    if (found.kind !== 'file') await taking.takeOther(change, found)
    else if ((await taking.takeFile(change, conversionOf(change.path))) === 'needs git') {
      converted.push(change)
    }
  }
  await taking.takeConverted(git, converted)
  return taking
}

/** What can be taken; the rest is left out by name. */
function* classify(
  taking: Taking,
  root: string,
  changes: readonly Change[],
): Generator<{ change: Change; found: Found }> {
  const look = makeLook(root)
  for (const change of changes) {
    const { path } = change
    const found: Found = change.present ? look(path) : { kind: 'gone' }
    if (isForbiddenPath(path)) {
      taking.leaveOut(path, 'not taken: git refuses this name')
    } else if (change.gitlink && (found.kind === 'directory' || found.kind === 'gone')) {
      taking.leaveOut(path, 'not taken: a change of a submodule')
    } else if (path.endsWith('/')) {
      taking.leaveOut(path, 'not taken: a repository inside the repository')
    } else {
      yield { change, found }
    }
  }
}
