import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf } from '../../domain/errors.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { type BytePath, joinPaths, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git } from '../git/git.ts'
import { INCLUDED_BYTES, INCLUDED_LIST, type IncludedEntry } from './included.ts'

const CHUNK_BYTES = 1024 * 1024

/** See `Worktrees.placeIncluded`. One spawn. */
export async function placeIncluded(
  git: Git,
  worktree: WorktreeRecord,
  directory: string,
): Promise<readonly string[]> {
  const entries = readList(directory)
  const problems: string[] = []
  const placed = placeAll(worktree.path, entries, directory, problems)
  if (placed.length === 0) return problems
  const { gitDir, commonDir, path: workTree } = worktree
  const { stdout } = await git.run(['check-ignore', '-z', '--stdin'], {
    place: { gitDir, commonDir, workTree },
    input: joinPaths(placed),
    answers: [1],
  })
  const ignored = new Set<string>(splitAtNul(stdout).map(parsePath))
  for (const path of placed) {
    if (ignored.has(path)) continue
    takeAway(workTree, path)
    problems.push(`${shownPath(path)}: not included: git does not ignore it here`)
  }
  return problems
}

/** Only we write this file, after all that it lists; without it there is nothing to place. */
export function readList(directory: string): readonly IncludedEntry[] {
  try {
    return JSON.parse(readFileSync(join(directory, INCLUDED_LIST), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function placeAll(
  root: string,
  entries: readonly IncludedEntry[],
  directory: string,
  problems: string[],
): BytePath[] {
  if (entries.length === 0) return []
  const placed: BytePath[] = []
  const from = openSync(join(directory, INCLUDED_BYTES), 'r')
  try {
    let offset = 0
    for (const entry of entries) {
      try {
        ensureDirectories(root, entry.path)
        placeOne(root, entry, from, offset)
        placed.push(entry.path)
      } catch (error) {
        const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
        const why = isThere ? 'there is one already' : messageOf(error)
        problems.push(`${shownPath(entry.path)}: not included: ${why}`)
      }
      if ('size' in entry) offset += entry.size
    }
    return placed
  } finally {
    closeSync(from)
  }
}

/** Through no link: what the base has in a directory's place leads who knows where. */
export function ensureDirectories(root: string, path: BytePath): void {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
    const directory = path.slice(0, end) as BytePath
    const place = pathOnDisk(root, directory)
    const found = lstatSync(place, { throwIfNoEntry: false })
    if (found === undefined) mkdirSync(place)
    else if (!found.isDirectory()) throw new Error(`${shownPath(directory)} is no directory here`)
  }
}

export function placeOne(root: string, entry: IncludedEntry, from: number, offset: number): void {
  const place = pathOnDisk(root, entry.path)
  if ('link' in entry) {
    symlinkSync(Buffer.from(entry.link, 'latin1'), place)
    return
  }
  // Only its owner, until it has its mode.
  const into = openSync(place, 'wx', 0o600)
  try {
    copyBytes(from, offset, entry.size, into)
  } catch (error) {
    // Half a file would be worse than none.
    unlinkSync(place)
    throw error
  } finally {
    closeSync(into)
  }
  chmodSync(place, entry.mode)
}

function copyBytes(from: number, offset: number, size: number, into: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size))
  for (let done = 0; done < size; ) {
    const wanted = Math.min(buffer.length, size - done)
    const read = readSync(from, buffer, 0, wanted, offset + done)
    if (read === 0) throw new Error('what was kept of it is torn')
    for (let at = 0; at < read; ) at += writeSync(into, buffer, at, read - at)
    done += read
  }
}

/** With the directories that were made for it, which hold nothing else. */
function takeAway(root: string, path: BytePath): void {
  unlinkSync(pathOnDisk(root, path))
  try {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      rmdirSync(pathOnDisk(root, parent as BytePath))
    }
  } catch {
    // It holds something.
  }
}
