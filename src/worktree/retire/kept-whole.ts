/**
 * What is kept of the submodules of a worktree that is to be retired: all of their files and of their
 * git directories, byte for byte, in a private directory. No git is asked what it means: so branches,
 * stashes, reflogs, index and what is under way come back as they were.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type BytePath, pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { copyBytes, type IncludedEntry, linkAsIs, writeAll } from '../make/included.ts'
import { ensureDirectories, placeOne } from '../make/place-included.ts'
import { cannotKeep, isEqual, isUnchanged } from './ignored.ts'
import { isSameBlob, type KeptBlob, placeBlobs } from './kept-blobs.ts'

/** What lies in the private directory: the bytes one after the other, and what they are. */
export const WHOLE_BYTES = 'submodules'
export const WHOLE_LIST = 'submodules.json'

/** The two directories of a worktree: its files, and its git directory. */
export type Side = 'files' | 'git'
export type Sides = Readonly<Record<Side, string>>

/** Something below one of the two. */
export interface Place {
  readonly side: Side
  readonly path: BytePath
}

/** A `.git` that is a file, and the git directory that it points to. */
export interface Pointer {
  readonly at: BytePath
  readonly to: Place
}

type WholeEntry = { readonly side: Side } & (
  | IncludedEntry
  | { readonly path: BytePath; readonly directory: number }
)

interface Whole {
  /** Where they stood: what points there is pointed anew elsewhere. */
  readonly from: Sides
  readonly pointers: readonly Pointer[]
  readonly entries: readonly WholeEntry[]
  readonly blobs: readonly BlobsOf[]
}

/** Of a repository: the files that its own objects have. */
export interface BlobsOf {
  readonly gitDir: Place
  readonly files: readonly KeptBlob[]
}

/** A file that is to be kept; `source`: where it lies, if not in its place. */
export interface KeptFile extends Place {
  readonly source?: { readonly root: string; readonly path: BytePath }
}

export interface ToKeep {
  readonly directories: readonly Place[]
  readonly files: readonly KeptFile[]
  readonly blobs: readonly BlobsOf[]
  readonly pointers: readonly Pointer[]
}

export interface Walked {
  readonly directories: readonly BytePath[]
  /** Regular files and links. A socket or a FIFO is no work. */
  readonly files: readonly BytePath[]
}

/** All that lies at `top`, each directory before what is in it. `isDropped`: of a directory, with a slash. */
export function walkWhole(
  root: string,
  top: BytePath,
  isDropped: (path: BytePath) => boolean,
): Walked {
  const directories: BytePath[] = []
  const files: BytePath[] = []
  const walk = (directory: BytePath) => {
    directories.push(directory)
    const place = pathOnDisk(root, directory)
    for (const entry of readdirSync(place, { withFileTypes: true, encoding: 'buffer' })) {
      const path = `${directory}/${entry.name.toString('latin1')}` as BytePath
      if (entry.isDirectory()) {
        if (!isDropped(`${path}/` as BytePath)) walk(path)
      } else if (entry.isFile() || entry.isSymbolicLink()) {
        files.push(path)
      }
    }
  }
  walk(top)
  return { directories, files }
}

/** Writes it into `directory`, synced, and compares every byte with the disk. */
export function keepWhole(
  sides: Sides,
  { directories, files, blobs, pointers }: ToKeep,
  directory: string,
) {
  const entries: WholeEntry[] = directories.map(({ side, path }) => ({
    side,
    path,
    directory: lstatSync(pathOnDisk(sides[side], path)).mode & 0o777,
  }))
  const into = openSync(join(directory, WHOLE_BYTES), 'wx', 0o600)
  try {
    for (const file of files) entries.push(takeFile(sides, file, into))
    fsyncSync(into)
  } finally {
    closeSync(into)
  }
  const whole: Whole = { from: sides, pointers, entries, blobs }
  const list = openSync(join(directory, WHOLE_LIST), 'wx', 0o600)
  try {
    writeAll(list, Buffer.from(JSON.stringify(whole)))
    fsyncSync(list)
  } finally {
    closeSync(list)
  }
  requireReadBack(sides, files, directory)
  const late = allOf(blobs).find(blob => !isSameBlob(sides.files, blob))
  if (late !== undefined) throw changed(sides, late.path)
}

const allOf = (blobs: readonly BlobsOf[]) => blobs.flatMap(({ files }) => files)

const changed = (sides: Sides, path: BytePath) =>
  cannotKeep(sides.files, `${shownPath(path)}: it changed while it was kept`)

function takeFile(sides: Sides, file: KeptFile, into: number): WholeEntry {
  const { side, path } = file
  const { root, path: place } = sourceOf(sides, file)
  const isLink = lstatSync(pathOnDisk(root, place)).isSymbolicLink()
  const taken = isLink ? linkAsIs(root, place) : copyBytes(root, place, into)
  if (typeof taken !== 'string') return { ...taken, side, path }
  throw cannotKeep(sides.files, `${shownPath(path)}: ${taken}`)
}

export function sizeOf(sides: Sides, file: KeptFile): number {
  const { root, path } = sourceOf(sides, file)
  return lstatSync(pathOnDisk(root, path)).size
}

const sourceOf = (sides: Sides, { side, path, source }: KeptFile) =>
  source ?? { root: sides[side], path }

function requireReadBack(sides: Sides, files: readonly KeptFile[], directory: string): void {
  const entries = readWhole(directory)?.entries.filter(entry => !('directory' in entry)) ?? []
  const kept = openSync(join(directory, WHOLE_BYTES), 'r')
  try {
    let offset = 0
    for (const [n, file] of files.entries()) {
      const entry = entries[n]
      const { root, path } = sourceOf(sides, file)
      const isKept =
        entry?.path === file.path &&
        !('directory' in entry) &&
        isSame(root, path, entry, kept, offset)
      if (!isKept) throw changed(sides, file.path)
      if ('size' in entry) offset += entry.size
    }
  } finally {
    closeSync(kept)
  }
}

/** Only we write this file, after all that it lists; undefined: nothing was kept. */
function readWhole(directory: string): Whole | undefined {
  const file = join(directory, WHOLE_LIST)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/**
 * What in these submodules, and in the git directories of all of them, is not exactly what was kept:
 * by its names. What is gone is not asked for, as it still is in what was kept.
 */
export function findUnkept(
  sides: Sides,
  submodules: readonly BytePath[],
  directory: string,
  isDropped: (path: BytePath) => boolean,
): readonly string[] {
  using kept = openKept(directory)
  const unkept = (side: Side, top: BytePath, isLeft: (path: BytePath) => boolean) =>
    walkWhole(sides[side], top, isLeft).files.filter(path => !kept.has(sides, { side, path }))
  const modules = existsSync(join(sides.git, MODULES)) ? unkept('git', MODULES, () => false) : []
  return [...submodules.flatMap(top => unkept('files', top, isDropped)), ...modules].map(shownPath)
}

/** Whether something on disk is still the very file that was kept, and what was kept still its bytes. */
function openKept(directory: string): Disposable & { has(sides: Sides, place: Place): boolean } {
  const keyOf = ({ side, path }: Place) => `${side} ${path}`
  const kept = new Map<string, { readonly entry: WholeEntry; readonly offset: number }>()
  const whole = readWhole(directory)
  const blobs = new Map(allOf(whole?.blobs ?? []).map(blob => [blob.path, blob]))
  let end = 0
  for (const entry of whole?.entries ?? []) {
    kept.set(keyOf(entry), { entry, offset: end })
    if ('size' in entry) end += entry.size
  }
  const bytes = kept.size === 0 ? null : openSync(join(directory, WHOLE_BYTES), 'r')
  return {
    has(sides, place) {
      const blob = place.side === 'files' ? blobs.get(place.path) : undefined
      if (blob !== undefined) return isSameBlob(sides.files, blob)
      const found = kept.get(keyOf(place))
      if (bytes === null || found === undefined || 'directory' in found.entry) return false
      return isSame(sides[place.side], place.path, found.entry, bytes, found.offset)
    },
    [Symbol.dispose]: () => {
      if (bytes !== null) closeSync(bytes)
    },
  }
}

function isSame(
  root: string,
  path: BytePath,
  entry: IncludedEntry,
  kept: number,
  offset: number,
): boolean {
  if (!isUnchanged(root, { ...entry, path })) return false
  return 'link' in entry || isEqual(root, { path, size: entry.size }, kept, offset)
}

/** Where git keeps the repositories of a worktree's submodules, in its git directory. */
export const MODULES = 'modules' as BytePath

/** Puts all of it where it was, in a worktree that was just made. Gives what may point elsewhere then. */
export async function placeWhole(
  git: Git,
  sides: Sides,
  directory: string,
  scratch: string,
): Promise<Pick<Whole, 'from' | 'pointers'> | undefined> {
  const whole = readWhole(directory)
  if (whole === undefined) return undefined
  placeEntries(sides, whole.entries, directory)
  for (const { gitDir: at, files } of whole.blobs) {
    const gitDir = pathOnDisk(sides[at.side], at.path).toString('utf8')
    await placeBlobs(git, sides.files, gitDir, files, scratch)
  }
  // The innermost first: into one that is closed nothing could be put.
  for (const entry of [...whole.entries].reverse()) {
    if ('directory' in entry) {
      chmodSync(pathOnDisk(sides[entry.side], entry.path), entry.directory)
    }
  }
  return whole
}

function placeEntries(sides: Sides, entries: readonly WholeEntry[], directory: string): void {
  const from = openSync(join(directory, WHOLE_BYTES), 'r')
  try {
    let offset = 0
    for (const entry of entries) {
      const root = sides[entry.side]
      ensureDirectories(root, entry.path)
      if ('directory' in entry) mkdirSync(pathOnDisk(root, entry.path), { recursive: true })
      else placeOne(root, entry, from, offset)
      if ('size' in entry) offset += entry.size
    }
  } finally {
    closeSync(from)
  }
}
