/**
 * Ignored files that a task needs all the same: those that `.worktreeinclude` names, in the syntax
 * of `.gitignore`. Git says which they are. Their bytes are kept privately until a worktree is made,
 * because the checkout may be gone by then; they may be secrets, and never become git objects.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { IncludedFiles } from '../../domain/set-up.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { shownSize } from '../capture/bounds.ts'
import { makeLook, readLink } from '../files/contents.ts'
import { type BytePath, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'

export const INCLUDE_FILE = '.worktreeinclude'

/**
 * What people tell their agents and nobody else, by the names that the agents look for. They come
 * along wherever git ignores them.
 */
const ALWAYS = ['CLAUDE.local.md', 'AGENTS.override.md', '.claude/settings.local.json']

/** What lies in the private directory: the files' bytes one after the other, and what they are. */
export const INCLUDED_BYTES = 'included'
export const INCLUDED_LIST = 'included.json'

/** One file or link, in the order of the bytes. Paths have one character per byte. */
export type IncludedEntry =
  | {
      readonly path: BytePath
      readonly size: number
      readonly mode: number
      /** Of the inode as it was read (`ctime`), in nanoseconds since 1970. */
      readonly changedAt: string
    }
  | { readonly path: BytePath; readonly link: string }

const CHUNK_BYTES = 1024 * 1024
const READ_PLAINLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** See `Worktrees.takeIncluded`. Two spawns, where there is anything to include. */
export async function takeIncluded(
  git: Git,
  { gitDir, place: { root, commonDir } }: Checkout,
  directory: string,
  bounds: Bounds,
): Promise<IncludedFiles | null> {
  if (!mayInclude(root)) return null
  try {
    const found = await findIncluded(git, { gitDir, commonDir, workTree: root })
    const leftOut = found.nested.map(path => `${shownPath(path)}: a repository of its own`)
    const fitting = chooseFitting(root, found.groups, bounds, leftOut)
    const entries = keepFiles(root, fitting, directory, leftOut, linkWithin)
    const bytes = entries.reduce((sum, entry) => sum + ('size' in entry ? entry.size : 0), 0)
    return { files: entries.length, bytes, leftOut }
  } catch (error) {
    if (error instanceof AppError) throw error
    const isFull =
      (error instanceof GitError && error.isFull) ||
      ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
    const why = `what ${INCLUDE_FILE} names was not taken: ${messageOf(error)}`
    throw new AppError(isFull ? 'no_space' : 'capture_failed', why, { cause: error })
  }
}

function mayInclude(root: string): boolean {
  return [INCLUDE_FILE, ...ALWAYS].some(name => existsSync(join(root, name)))
}

/** By what is taken as a whole or not at all: a directory that git ignores entirely, or one file. */
type Groups = ReadonlyMap<string, readonly BytePath[]>

/** See `Worktrees.listIgnored`. */
export async function listIgnored(
  git: Git,
  { gitDir, place: { root, commonDir } }: Checkout,
): Promise<{ ignored: readonly string[]; included: readonly string[] }> {
  const place = { gitDir, commonDir, workTree: root }
  const ignored = await listOthers(git, place, ALL_IGNORED)
  if (!mayInclude(root)) return { ignored: ignored.map(shownPath), included: [] }
  const { groups } = await findIncluded(git, place)
  return { ignored: ignored.map(shownPath), included: [...groups.values()].flat().map(shownPath) }
}

/** Of a directory that is ignored entirely, this names nothing but the directory. */
export const ALL_IGNORED = ['--exclude-standard', '--directory']

export async function listOthers(git: Git, place: GitPlace, options: readonly string[]) {
  const { stdout } = await git.run(['ls-files', '-z', '-o', '-i', ...options], { place })
  return splitAtNul(stdout).map(parsePath)
}

/** What the patterns match and git ignores. What it does not ignore comes along anyway. */
async function findIncluded(
  git: Git,
  place: GitPlace & { readonly workTree: string },
): Promise<{ groups: Groups; nested: readonly BytePath[] }> {
  const [matching, ignored] = await Promise.all([
    listOthers(git, place, patternsFor(place.workTree)),
    listOthers(git, place, ALL_IGNORED),
  ])
  const isIgnored = new Set<string>(ignored)
  const groups = new Map<string, BytePath[]>()
  const nested: BytePath[] = []
  for (const path of matching) {
    const group = outermost(path, isIgnored)
    if (group === undefined) continue
    // So git shows a repository in the repository.
    if (path.endsWith('/')) nested.push(path)
    else {
      const members = groups.get(group) ?? []
      members.push(path)
      groups.set(group, members)
    }
  }
  return { groups, nested }
}

function patternsFor(root: string): readonly string[] {
  const file = join(root, INCLUDE_FILE)
  const own = existsSync(file) ? [`--exclude-from=${file}`] : []
  return [...ALWAYS.map(name => `--exclude=/${name}`), ...own]
}

/** The topmost of the path and its directories that is in the set. */
function outermost(path: string, set: ReadonlySet<string>): string | undefined {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
    const directory = path.slice(0, end + 1)
    if (set.has(directory)) return directory
  }
  return set.has(path) ? path : undefined
}

/** The smallest groups that fit in together. Half a directory would be worse than none. */
function chooseFitting(
  root: string,
  groups: Groups,
  { maxBytes, maxFiles }: Bounds,
  leftOut: string[],
): readonly BytePath[] {
  const look = makeLook(root)
  const sizeOf = (path: BytePath) => {
    const found = look(path)
    return found.kind === 'file' ? found.size : 0
  }
  const sized = [...groups].map(([name, paths]) => ({
    name: shownPath(name as BytePath),
    paths,
    bytes: paths.reduce((sum, path) => sum + sizeOf(path), 0),
  }))
  const chosen: BytePath[] = []
  let left = maxBytes
  for (const { name, paths, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    if (chosen.length + paths.length <= maxFiles && bytes <= left) {
      left -= bytes
      for (const path of paths) chosen.push(path)
      continue
    }
    const size = `${paths.length} ${paths.length === 1 ? 'file' : 'files'}, ${shownSize(bytes)}`
    const most = `${maxFiles} files and ${shownSize(maxBytes)} in all`
    leftOut.push(`${name}: ${size} is too much to include (at most ${most})`)
  }
  return chosen
}

/** The target of a link, or in words why it is not taken. */
export type TakeLink = (root: string, path: BytePath) => IncludedEntry | string

/** Writes the files and what they are into a private directory, both synced. */
export function keepFiles(
  root: string,
  paths: readonly BytePath[],
  directory: string,
  leftOut: string[],
  takeLink: TakeLink,
): IncludedEntry[] {
  const entries: IncludedEntry[] = []
  const look = makeLook(root)
  const into = openSync(join(directory, INCLUDED_BYTES), 'wx', 0o600)
  try {
    for (const path of paths) {
      const found = look(path)
      const taken =
        found.kind === 'file'
          ? copyBytes(root, path, into)
          : found.kind === 'link'
            ? takeLink(root, path)
            : `it is ${found.kind}`
      if (typeof taken === 'string') leftOut.push(`${shownPath(path)}: not included: ${taken}`)
      else entries.push(taken)
    }
    fsyncSync(into)
  } finally {
    closeSync(into)
  }
  reach('included.bytes-written')
  if (entries.length > 0) writeList(directory, entries)
  return entries
}

/** A reason in words: it was not taken. */
export function copyBytes(root: string, path: BytePath, into: number): IncludedEntry | string {
  let from: number
  try {
    from = openSync(pathOnDisk(root, path), READ_PLAINLY)
  } catch (error) {
    return messageOf(error)
  }
  try {
    const stats = fstatSync(from, { bigint: true })
    if (!stats.isFile()) return 'it is no plain file any more'
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    let size = 0
    for (let read = -1; read !== 0; size += read) {
      read = readSync(from, buffer, 0, buffer.length, null)
      writeAll(into, buffer.subarray(0, read))
    }
    const mode = Number(stats.mode) & 0o777
    return { path, size, mode, changedAt: String(stats.ctimeNs) }
  } finally {
    closeSync(from)
  }
}

export function writeAll(file: number, bytes: Uint8Array): void {
  for (let left = bytes; left.length > 0; ) left = left.subarray(writeSync(file, left))
}

/** A link as it is, wherever it leads. */
export function linkAsIs(root: string, path: BytePath): IncludedEntry | string {
  const target = readLink(root, path)
  return 'kind' in target ? 'it keeps being replaced' : { path, link: target.toString('latin1') }
}

/** A link is taken as such; one that leads out of the checkout would lead somewhere else later. */
function linkWithin(root: string, path: BytePath): IncludedEntry | string {
  const target = readLink(root, path)
  if ('kind' in target) return 'it keeps being replaced'
  const text = target.toString('latin1')
  const leadsTo = join(dirname(path), text)
  if (isAbsolute(text) || leadsTo === '..' || leadsTo.startsWith('../')) {
    return 'it is a link out of the repository'
  }
  return { path, link: text }
}

function writeList(directory: string, entries: readonly IncludedEntry[]): void {
  const file = openSync(join(directory, INCLUDED_LIST), 'wx', 0o600)
  try {
    writeAll(file, Buffer.from(JSON.stringify(entries)))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  reach('included.list-written')
}
