/** Reads what is on disk at a path, without following links, while others may write to it. */
import { createHash } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { type BytePath, pathOnDisk } from './paths.ts'

export type ObjectFormat = 'sha1' | 'sha256'

/** Larger files are not held in memory. */
const HELD_BYTES = 4 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
/** No link is followed, and a FIFO that has taken the file's place does not block. */
const READ_PLAINLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** How often a file that changes while it is read is read again. */
export const READ_TRIES = 3

/** What stands at a path. */
export type Found = { readonly kind: 'file'; readonly size: number } | Other

/** Anything but a regular file that can be read. */
export type Other =
  | { readonly kind: 'link' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'directory' }
  /** A FIFO, socket or device. */
  | { readonly kind: 'special'; readonly what: string }
  | { readonly kind: 'unreadable'; readonly why: string }

export interface FileReading {
  /** Null: too large to hold; stream it. */
  readonly content: Buffer | null
  readonly size: number
  readonly executable: boolean
  /** It stood still while it was read. */
  readonly steady: boolean
}

/**
 * Looks at paths below a root. A path below a symbolic link is gone, as it is for git: what lies
 * behind the link is not part of the checkout.
 */
export function makeLook(root: string): (path: BytePath) => Found {
  const isRealDirectory = new Map<string, boolean>([['', true]])
  const check = (directory: string): boolean => {
    const known = isRealDirectory.get(directory)
    if (known !== undefined) return known
    const parent = directory.slice(0, Math.max(0, directory.lastIndexOf('/')))
    let real = false
    try {
      real = check(parent) && lstatSync(pathOnDisk(root, directory as BytePath)).isDirectory()
    } catch (error) {
      // Behind a closed door: the look at the file itself says so.
      real = (error as NodeJS.ErrnoException).code === 'EACCES'
    }
    isRealDirectory.set(directory, real)
    return real
  }
  return path => {
    if (!check(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) return { kind: 'gone' }
    try {
      const stats = lstatSync(pathOnDisk(root, path), { bigint: true })
      return stats.isFile() ? { kind: 'file', size: Number(stats.size) } : describeOther(stats)
    } catch (error) {
      return failure(error)
    }
  }
}

/** Reads a regular file, once. Unreadable, gone and no longer a file are values, not errors. */
export function readFileOnce(root: string, path: BytePath): FileReading | Other {
  const place = pathOnDisk(root, path)
  let file: number
  let before: BigIntStats
  try {
    before = lstatSync(place, { bigint: true })
    if (!before.isFile()) return describeOther(before)
    file = openSync(place, READ_PLAINLY)
  } catch (error) {
    return failure(error)
  }
  try {
    const opened = fstatSync(file, { bigint: true })
    if (!opened.isFile()) return describeOther(opened)
    const size = Number(opened.size)
    const executable = isExecutable(opened)
    if (size > HELD_BYTES) return { content: null, size, executable, steady: true }
    // One byte of room more than it has: if that gets filled, it grew.
    const buffer = Buffer.allocUnsafe(size + 1)
    const length = fill(file, buffer)
    const content = buffer.subarray(0, Math.min(length, size))
    const steady = length === size && isUnchanged(place, before) && before.ino === opened.ino
    return { content, size: content.length, executable, steady }
  } catch (error) {
    return failure(error)
  } finally {
    closeSync(file)
  }
}

export type StreamReading =
  | { readonly kind: 'streamed'; readonly object: string; readonly steady: boolean }
  /** It ended, or could no longer be read, before it had given what was announced. */
  | { readonly kind: 'torn' }

/**
 * Reads a large file in pieces: exactly `size` bytes are given to `take`, in any case, because they
 * have been announced; zeros where it has no more (`torn`).
 */
export async function streamFile(
  root: string,
  path: BytePath,
  size: number,
  format: ObjectFormat,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<StreamReading> {
  const place = pathOnDisk(root, path)
  const before = lstatSync(place, { bigint: true, throwIfNoEntry: false })
  const file = openUnlessGone(place)
  try {
    const hash = startBlobHash(size, format)
    let torn = file === undefined
    for (let left = size; left > 0; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, left))
      if (file !== undefined && !torn) torn = fillOrFail(file, chunk) < chunk.length
      hash.update(chunk)
      await take(chunk)
      left -= chunk.length
    }
    if (torn || before === undefined) return { kind: 'torn' }
    return { kind: 'streamed', object: hash.digest('hex'), steady: isUnchanged(place, before) }
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function openUnlessGone(place: Buffer): number | undefined {
  try {
    return openSync(place, READ_PLAINLY)
  } catch {
    // Whatever happened to it since it was found, there is nothing to read now.
    return undefined
  }
}

function fillOrFail(file: number, chunk: Buffer): number {
  try {
    return fill(file, chunk)
  } catch {
    // An unreadable sector: the file is torn at this point.
    return 0
  }
}

/** The target of a symbolic link, as bytes. */
export function readLink(root: string, path: BytePath): Buffer | Other {
  try {
    return readlinkSync(pathOnDisk(root, path), { encoding: 'buffer' })
  } catch (error) {
    return failure(error)
  }
}

/** The id that git gives a blob with this content. */
export function blobId(content: Uint8Array, format: ObjectFormat): string {
  return startBlobHash(content.length, format).update(content).digest('hex')
}

function startBlobHash(size: number, format: ObjectFormat) {
  return createHash(format).update(`blob ${size}\0`)
}

/** A stamp that differs whenever the file was written, replaced or touched. */
export function stampOf(root: string, path: BytePath): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = lstatSync(pathOnDisk(root, path), { bigint: true })
    return [ino, size, mtimeNs, ctimeNs].join()
  } catch {
    // Gone is a state like any other, and compares as one.
    return 'gone'
  }
}

function fill(file: number, buffer: Buffer): number {
  let length = 0
  while (length < buffer.length) {
    const read = readSync(file, buffer, length, buffer.length - length, null)
    if (read === 0) break
    length += read
  }
  return length
}

function isUnchanged(place: Buffer, before: BigIntStats): boolean {
  const after = lstatSync(place, { bigint: true, throwIfNoEntry: false })
  return (
    after !== undefined &&
    after.ino === before.ino &&
    after.size === before.size &&
    after.mtimeNs === before.mtimeNs &&
    after.ctimeNs === before.ctimeNs
  )
}

/** Git looks at the owner's bit alone. */
const isExecutable = (stats: BigIntStats) => (stats.mode & 0o100n) !== 0n

export function describeOther(stats: BigIntStats): Other {
  if (stats.isSymbolicLink()) return { kind: 'link' }
  if (stats.isDirectory()) return { kind: 'directory' }
  const what = stats.isFIFO() ? 'a FIFO' : stats.isSocket() ? 'a socket' : 'a device'
  return { kind: 'special', what }
}

function failure(error: unknown): Other {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'gone' }
  // O_NOFOLLOW met a link.
  if (code === 'ELOOP') return { kind: 'link' }
  if (code === 'ENXIO') return { kind: 'special', what: 'a socket' }
  return { kind: 'unreadable', why: code ?? String(error) }
}
