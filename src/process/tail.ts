/**
 * Reading a file that somebody else appends to. Lines end with `\n` and nothing else, may be of any
 * length, and are taken whole; bytes that are no UTF-8 are replaced.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isGone } from './is-gone.ts'

export interface ReadLines {
  /** Without their ends. */
  readonly lines: readonly string[]
  /** Where to go on: behind the last line that was taken. */
  readonly offset: number
  /** Up to here there is no end of the line that begins at `offset`: pass it on, for speed alone. */
  readonly searchedTo: number
  /** Whether there is no more to take at present. */
  readonly atEnd: boolean
}

export interface ReadOptions {
  /** Takes a last line without an end, too: nobody writes any more. */
  readonly ended?: boolean
  /** From the read before, if that went on to the same offset. */
  readonly searchedTo?: number
}

const NEWLINE = 0x0a
const CHUNK_BYTES = 256 * 1024
/** What is longer is cut: beyond half a gigabyte a string cannot be made at all. */
const LONGEST_LINE_BYTES = 64 * 1024 * 1024

/**
 * Takes whole lines from `offset` on, in steps of about `maxBytes`; a longer line is taken
 * nevertheless. A file that is missing, or shorter than `offset`, has no lines.
 */
export function readLines(
  path: string,
  offset: number,
  maxBytes: number,
  options: ReadOptions = {},
): ReadLines {
  const searchedTo = Math.max(offset, options.searchedTo ?? 0)
  const nothing = { lines: [], offset, searchedTo, atEnd: true }
  // Asked first because it is the common answer, and far cheaper than opening the file.
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= (options.ended ? offset : searchedTo)) return nothing
  const file = openIfThere(path)
  if (file === undefined) return nothing
  try {
    // Most often one read gives whole lines, and little was there before.
    if (searchedTo < offset + maxBytes) {
      const step = readRange(file, offset, Math.min(offset + maxBytes, size))
      const end = step.lastIndexOf(NEWLINE)
      if (end >= 0) {
        const lines = step.toString('utf8', 0, end).split('\n')
        const next = offset + end + 1
        const atEnd = offset + step.length >= size
        return { lines, offset: next, searchedTo: atEnd ? size : next, atEnd }
      }
    }
    // Else first the end of the line that is being waited for, so that what was there before is
    // read again only once it is complete.
    const end = findNewline(file, searchedTo, size)
    if (end !== undefined) {
      const next = end + 1
      const lines = [readLine(file, offset, end)]
      return { lines, offset: next, searchedTo: next, atEnd: next >= size }
    }
    if (options.ended) {
      const lines = [readLine(file, offset, size)]
      return { lines, offset: size, searchedTo: size, atEnd: true }
    }
    return { ...nothing, searchedTo: size }
  } finally {
    closeSync(file)
  }
}

/** The last bytes of a file, from a whole character on; empty if it is missing. */
export function readTail(path: string, bytes: number): string {
  const file = openIfThere(path)
  if (file === undefined) return ''
  try {
    const size = fstatSync(file).size
    const tail = readRange(file, Math.max(0, size - bytes), size)
    let start = 0
    // The rest of a character whose beginning was cut off (UTF-8 has at most three such bytes).
    while (size > bytes && start < 3 && ((tail[start] ?? 0) & 0xc0) === 0x80) start += 1
    return tail.toString('utf8', start)
  } finally {
    closeSync(file)
  }
}

function findNewline(file: number, from: number, to: number): number | undefined {
  const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, to - from)))
  for (let at = from; at < to; ) {
    const count = readSync(file, chunk, 0, Math.min(chunk.length, to - at), at)
    if (count === 0) return undefined
    const found = chunk.subarray(0, count).indexOf(NEWLINE)
    if (found >= 0) return at + found
    at += count
  }
  return undefined
}

function readLine(file: number, from: number, to: number): string {
  const length = to - from
  if (length <= LONGEST_LINE_BYTES) return readRange(file, from, to).toString('utf8')
  const kept = readRange(file, from, from + LONGEST_LINE_BYTES).toString('utf8')
  return `${kept} [cut by holdfast: the line has ${length} bytes]`
}

/** What there is between two offsets. */
function readRange(file: number, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, to - from))
  let length = 0
  while (length < bytes.length) {
    const count = readSync(file, bytes, length, bytes.length - length, from + length)
    if (count === 0) break
    length += count
  }
  return bytes.subarray(0, length)
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
