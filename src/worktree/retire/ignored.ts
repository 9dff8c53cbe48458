/**
 * The ignored files of a worktree that is to be retired: kept beside its snapshot, in a private
 * directory, for they may be secrets and must never become git objects. What a program makes anew
 * (`node_modules`, caches) is not kept, but named.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { REBUILT_DIRECTORIES } from '../../domain/ecosystems.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { IgnoredFiles } from '../../domain/snapshot.ts'
import type { SetUpTime } from '../../ports/worktrees.ts'
import { shownSize } from '../capture/bounds.ts'
import { cameFromSetUp } from '../files/came-from-set-up.ts'
import { readLink } from '../files/contents.ts'
import { type BytePath, pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import {
  ALL_IGNORED,
  INCLUDED_BYTES,
  type IncludedEntry,
  keepFiles,
  linkAsIs,
  listOthers,
} from '../make/included.ts'
import { readList } from '../make/place-included.ts'

/** Its first bytes, by https://bford.info/cachedir/ (cargo, pytest, uv and others write it). */
const CACHE_TAG = 'Signature: 8a477f597d28d172789f06886806bc55'

/** Refuses with `work_left`, naming what cannot be kept. One spawn. */
export async function keepIgnored(
  git: Git,
  place: GitPlace & { readonly workTree: string },
  directory: string,
  bounds: Bounds,
  setUpAt: SetUpTime,
): Promise<IgnoredFiles> {
  const root = place.workTree
  const found: Found = { paths: [], dropped: [], refused: [], bytes: 0 }
  for (const path of outermost(await listOthers(git, place, ALL_IGNORED))) {
    try {
      if (!path.endsWith('/')) addFile(root, path, found)
      // What set-up made, set-up makes again.
      else if (isWholly(root, path, setUpAt)) found.dropped.push(path)
      else walk(root, path, found)
    } catch (error) {
      // The system's own: a directory that is closed, or was taken away meanwhile.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
      found.refused.push(`${shownPath(path)}: ${messageOf(error)}`)
    }
  }
  const { paths, refused, bytes } = found
  if (paths.length > bounds.maxFiles || bytes > bounds.maxBytes) {
    refused.push(
      `${paths.length} ignored files, ${shownSize(bytes)}, are too much to keep ` +
        `(at most ${bounds.maxFiles} files and ${shownSize(bounds.maxBytes)})`,
    )
  }
  refuseToKeep(root, refused)
  const leftOut: string[] = []
  const entries = keepFiles(root, paths, directory, leftOut, linkAsIs)
  refuseToKeep(root, leftOut)
  requireReadBack(root, directory)
  return { files: entries.length, bytes, dropped: found.dropped.map(shownPath) }
}

/** Of a directory that holds nothing else, git names that, and what is ignored in it too. */
export function outermost(paths: readonly BytePath[]): readonly BytePath[] {
  const directories = new Set<string>(paths.filter(path => path.endsWith('/')))
  const isInside = (path: string) => {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (end < path.length - 1 && directories.has(path.slice(0, end + 1))) return true
    }
    return false
  }
  return paths.filter(path => !isInside(path))
}

/** With `work_left`, where there are any. */
export function refuseToKeep(root: string, problems: readonly string[]): void {
  if (problems.length > 0) throw cannotKeep(root, problems.join(', '))
}

export function cannotKeep(root: string, what: string): AppError {
  return new AppError('work_left', `${root} holds what cannot be kept: ${what}`, {
    hint: 'it stays as it is',
  })
}

interface Found {
  readonly paths: BytePath[]
  readonly dropped: BytePath[]
  readonly refused: string[]
  bytes: number
}

/** Whether a program makes all of a directory anew. */
export function isWholly(root: string, path: BytePath, setUpAt: SetUpTime): boolean {
  return isRebuilt(root, path) || cameFromSetUp(root, path, setUpAt)
}

/** `path` is that of a directory, with a slash. */
export function isRebuilt(root: string, path: BytePath): boolean {
  const name = path.slice(path.lastIndexOf('/', path.length - 2) + 1, -1)
  return (
    REBUILT_DIRECTORIES.has(name) ||
    isTaggedCache(pathOnDisk(root, `${path}CACHEDIR.TAG` as BytePath))
  )
}

function isTaggedCache(tag: Buffer): boolean {
  if (lstatSync(tag, { throwIfNoEntry: false })?.isFile() !== true) return false
  const file = openSync(tag, 'r')
  try {
    const start = Buffer.alloc(CACHE_TAG.length)
    readSync(file, start, 0, start.length, 0)
    return start.toString('latin1') === CACHE_TAG
  } finally {
    closeSync(file)
  }
}

/** `directory` ends in a slash. */
function walk(root: string, directory: BytePath, found: Found): void {
  const place = pathOnDisk(root, directory.slice(0, -1) as BytePath)
  for (const entry of readdirSync(place, { withFileTypes: true, encoding: 'buffer' })) {
    const path = `${directory}${entry.name.toString('latin1')}` as BytePath
    if (entry.name.toString('latin1') === '.git') {
      found.refused.push(`${shownPath(directory)}: a repository of its own`)
      return
    }
    if (!entry.isDirectory()) addFile(root, path, found)
    else if (isRebuilt(root, `${path}/` as BytePath)) found.dropped.push(`${path}/` as BytePath)
    else walk(root, `${path}/` as BytePath, found)
  }
}

/** A socket or a FIFO is no work. */
function addFile(root: string, path: BytePath, found: Found): void {
  const stats = lstatSync(pathOnDisk(root, path))
  if (stats.isFile() || stats.isSymbolicLink()) {
    found.paths.push(path)
    found.bytes += stats.isFile() ? stats.size : 0
  } else found.dropped.push(path)
}

/** Whether a path is one of these, as they are shown, or in one. */
export function isAmong(names: readonly string[]): (path: BytePath) => boolean {
  const all = new Set(names)
  return path => {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (all.has(shownPath(path.slice(0, end + 1) as BytePath))) return true
    }
    return all.has(shownPath(path))
  }
}

/** What was kept of the files, as a question: is this one still exactly that? */
export function keptIn(
  tree: string,
  directory: string,
  dropped: readonly string[],
): (path: BytePath) => boolean {
  const entries = new Map(readList(directory).map(entry => [entry.path as string, entry]))
  const isDropped = isAmong(dropped)
  return path => {
    if (isDropped(path)) return true
    const entry = entries.get(path)
    return entry !== undefined && isUnchanged(tree, entry)
  }
}

/** The kernel sets the time of a change, and lets nobody choose it. */
export function isUnchanged(tree: string, entry: IncludedEntry): boolean {
  const stats = lstatSync(pathOnDisk(tree, entry.path), { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return false
  if ('link' in entry) {
    const target = readLink(tree, entry.path)
    return !('kind' in target) && target.toString('latin1') === entry.link
  }
  return stats.isFile() && String(stats.ctimeNs) === entry.changedAt
}

const CHUNK_BYTES = 1024 * 1024

/** Compares every byte that was kept with the disk. */
function requireReadBack(root: string, directory: string): void {
  const entries = readList(directory)
  if (entries.length === 0) return
  const kept = openSync(join(directory, INCLUDED_BYTES), 'r')
  try {
    let offset = 0
    for (const entry of entries) {
      if (!isUnchanged(root, entry) || !('link' in entry || isEqual(root, entry, kept, offset))) {
        refuseToKeep(root, [`${shownPath(entry.path)}: it changed while it was kept`])
      }
      if ('size' in entry) offset += entry.size
    }
  } finally {
    closeSync(kept)
  }
}

/** Of a file and of what was kept at an offset: whether the bytes are the same. */
export function isEqual(
  root: string,
  { path, size }: { readonly path: BytePath; readonly size: number },
  kept: number,
  offset: number,
): boolean {
  const file = openSync(pathOnDisk(root, path), 'r')
  try {
    // One byte of room more than it has: if that gets filled, it grew.
    const room = Math.min(CHUNK_BYTES, size + 1)
    const [ours, theirs] = [Buffer.alloc(room), Buffer.alloc(room)]
    for (let done = 0; ; ) {
      const read = readSync(file, theirs, 0, room, done)
      if (read === 0) return done === size
      const length = Math.min(read, size - done)
      if (length < read || readSync(kept, ours, 0, length, offset + done) !== length) return false
      if (ours.compare(theirs, 0, length, 0, length) !== 0) return false
      done += length
    }
  } finally {
    closeSync(file)
  }
}
