/**
 * A private copy of a checkout's index: what we ask git goes through it, so that the bytes of the
 * user's own never change. It is never newer than the original, rounded down: git takes a file
 * that was edited within the second of the index for unchanged unless the index is that old
 * ("racy git"), and then the last edit before a capture would be lost.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { blobId } from '../files/contents.ts'
import { type BytePath, joinPaths, parsePath } from '../files/paths.ts'
import type { Git, GitPlace } from './git.ts'
import { GITLINK, type TreeEntry } from './status.ts'

export interface PrivateIndex {
  readonly file: string
  /** Sets the copy's time back, after git has written it. */
  age(): void
  [Symbol.dispose](): void
}

/** A FIFO in its place does not block. */
const READ_PLAINLY = constants.O_RDONLY | constants.O_NONBLOCK

/** Copies the index of `gitDir` below `scratch`; a checkout without one has an empty index. */
export function copyIndex(gitDir: string, scratch: string): PrivateIndex {
  const index = emptyIndex(scratch)
  let original: number
  try {
    original = openSync(join(gitDir, 'index'), READ_PLAINLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return index
    index[Symbol.dispose]()
    throw error
  }
  try {
    // Size, time and bytes of one file, even where git renames a newer one into its place.
    const stats = fstatSync(original)
    if (!stats.isFile()) return index
    const second = Math.floor(stats.mtimeMs / 1000)
    writeFileSync(index.file, readFileSync(original), { mode: 0o600 })
    const age = () => utimesSync(index.file, second, second)
    age()
    return { ...index, age }
  } catch (error) {
    index[Symbol.dispose]()
    throw error
  } finally {
    closeSync(original)
  }
}

/** The bytes of a checkout's index; undefined: it has none. */
export function readIndex(gitDir: string): Buffer | undefined {
  try {
    return readFileSync(join(gitDir, 'index'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** An index that git finds missing, and so takes for empty. */
export function emptyIndex(scratch: string): PrivateIndex {
  // A directory of its own: a git that is killed leaves `<index>.lock` beside it.
  const directory = mkdtempSync(join(scratch, 'index-'))
  return {
    file: join(directory, 'index'),
    age: () => undefined,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** What an index says beside its entries. */
export interface IndexFacts {
  /** `git update-index --skip-worktree`: also what a sparse checkout marks its absent files with. */
  readonly skipped: readonly BytePath[]
  /** `git update-index --assume-unchanged`. */
  readonly assumed: readonly BytePath[]
  /** What the index has of these files. */
  readonly flagged: ReadonlyMap<BytePath, TreeEntry>
  readonly unmerged: readonly BytePath[]
  /** The submodules, with the commits that they are to stand on. */
  readonly gitlinks: ReadonlyMap<BytePath, string>
  /** How many entries it has. */
  readonly count: number
}

/** Of an index without entries. */
export const NO_FACTS: IndexFacts = {
  skipped: [],
  assumed: [],
  flagged: new Map(),
  unmerged: [],
  gitlinks: new Map(),
  count: 0,
}

const NOTHING = Buffer.alloc(0)
const LOWER_CASE = 0x20
const S = 'S'.charCodeAt(0)
const TAB = '\t'.charCodeAt(0)

/** One spawn. */
export async function readIndexFacts(git: Git, place: GitPlace): Promise<IndexFacts> {
  const { stdout } = await git.run(['ls-files', '-v', '-s', '-z'], { place })
  const skipped: BytePath[] = []
  const assumed: BytePath[] = []
  const flagged = new Map<BytePath, TreeEntry>()
  const unmerged = new Set<BytePath>()
  const gitlinks = new Map<BytePath, string>()
  let count = 0
  let start = 0
  for (let end = stdout.indexOf(0); end !== -1; end = stdout.indexOf(0, start)) {
    count++
    // `H 100644 <id> 0<tab><path>`; nearly all are exactly like this, and cost no string.
    const tag = stdout[start] ?? 0
    const tab = stdout.indexOf(TAB, start)
    const mode = stdout.toString('latin1', start + 2, start + 8)
    const isGitlink = mode === GITLINK
    const isUnmerged = stdout[tab - 1] !== 0x30
    const isSkipped = (tag & ~LOWER_CASE) === S
    if (tag !== 0x48 || isGitlink || isUnmerged) {
      const path = parsePath(stdout.subarray(tab + 1, end))
      const object = stdout.toString('latin1', start + 9, tab - 2)
      const isAssumed = (tag & LOWER_CASE) !== 0
      if (isSkipped) skipped.push(path)
      if (isAssumed) assumed.push(path)
      if (isUnmerged) unmerged.add(path)
      else if (isGitlink) gitlinks.set(path, object)
      else if (isSkipped || isAssumed) flagged.set(path, { mode, object })
    }
    start = end + 1
  }
  return { skipped, assumed, flagged, unmerged: [...unmerged], gitlinks, count }
}

/**
 * The paths whose edits git does not look for. In a sparse checkout `skipped` hides nothing: it
 * marks what is meant to be absent.
 */
export type HiddenPaths = Pick<IndexFacts, 'skipped' | 'assumed' | 'flagged'>

export const NOTHING_HIDDEN: HiddenPaths = NO_FACTS

/**
 * Clears the flags that hide edits from `git status`, in the private copy. What the index knows of
 * such a file's time and size is forgotten with them: a git that wrote the index while the flag
 * was set did not look whether the file was edited within that second. An empty file stays as it
 * is, as it may be intended to be added, and no edit leaves it empty.
 */
export async function clearHiddenFlags(
  git: Git,
  place: GitPlace,
  index: PrivateIndex,
  { skipped, assumed, flagged }: HiddenPaths,
): Promise<void> {
  const edits = new Map<BytePath, IndexEdit>()
  const isLeft = (path: BytePath) => {
    const entry = flagged.get(path)
    if (entry === undefined || isEmptyBlob(entry)) return true
    edits.set(path, { path, ...entry })
    return false
  }
  const clear = async (option: string, paths: readonly BytePath[]) => {
    if (paths.length === 0) return
    await git.run(['update-index', option, '-z', '--stdin'], { place, input: joinPaths(paths) })
    index.age()
  }
  // In two calls: given both options, git obeys only the last.
  await clear('--no-skip-worktree', skipped.filter(isLeft))
  await clear('--no-assume-unchanged', assumed.filter(isLeft))
  await editIndex(git, place, index, [...edits.values()])
}

function isEmptyBlob({ object }: TreeEntry): boolean {
  return object === blobId(NOTHING, object.length === 64 ? 'sha256' : 'sha1')
}

export interface IndexEdit extends TreeEntry {
  readonly path: BytePath
}

/** Mode 0 removes a path with all its stages. What is put in has no flags, and is looked at. */
export async function editIndex(
  git: Git,
  place: GitPlace,
  index: PrivateIndex,
  edits: readonly IndexEdit[],
): Promise<void> {
  if (edits.length === 0) return
  await writeEntries(git, place, edits)
  index.age()
}

/** The same for the index of a worktree that is being made. */
export async function writeEntries(
  git: Git,
  place: GitPlace,
  edits: readonly IndexEdit[],
): Promise<void> {
  const lines = edits.map(({ mode, object, path }) => `${mode} ${object}\t${path}\0`)
  const input = Buffer.from(lines.join(''), 'latin1')
  // Git would set the flag that hides edits on all that it is given.
  const config = { 'core.ignoreStat': 'false' }
  await git.run(['update-index', '-z', '--index-info'], { place, input, config })
}
