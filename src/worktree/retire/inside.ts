/**
 * The repositories inside of a worktree that is to be retired: whether each can be kept whole. One
 * whose git directory, or whose objects, lie where they would not be kept cannot; nor one that other
 * worktrees belong to.
 */
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
} from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import type { SetUpTime, WorktreeRecord } from '../../ports/worktrees.ts'
import { borrowInner, findInnerGitDir } from '../capture/inner-repository.ts'
import { findModules } from '../capture/submodules.ts'
import { type BytePath, isText, pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { copyIndex } from '../git/private-index.ts'
import { ALL_IGNORED, listOthers } from '../make/included.ts'
import type { Borrower } from './hold-borrowed.ts'
import { cannotKeep, isRebuilt, isWholly, outermost } from './ignored.ts'
import type { MetRepository } from './kept-blobs.ts'
import { MODULES, type Place, type Pointer } from './kept-whole.ts'

export interface Inside {
  readonly pointers: readonly Pointer[]
  /** Ignored directories that a program makes anew, each with a slash. */
  readonly dropped: readonly BytePath[]
  readonly repositories: readonly (MetRepository & { readonly at: Place })[]
}

export interface InsideOrder {
  readonly worktree: WorktreeRecord
  readonly populated: readonly BytePath[]
  readonly scratch: string
  readonly setUpAt: SetUpTime
}

/** Refuses with `work_left`. Two spawns for each repository. */
export async function findInside(git: Git, order: InsideOrder): Promise<Inside> {
  const { worktree, populated, scratch, setUpAt } = order
  const root = worktree.path
  const pointers: Pointer[] = []
  const dropped: BytePath[] = []
  const ignored = new Set<BytePath>()
  const repositories: (MetRepository & { readonly at: Place })[] = []

  const meet = async (directory: BytePath) => {
    const { gitDir, at } = openKept(worktree, populated, directory)
    if (lstatSync(pathOnDisk(root, `${directory}/.git` as BytePath)).isFile()) {
      pointers.push({ at: `${directory}/.git` as BytePath, to: at })
    }
    for (const each of [gitDir, ...findModules(gitDir)]) requireWhole(worktree, each)
    const own = await show(git, worktree, gitDir, scratch)
    repositories.push({ path: directory, gitDir, own, at })
    const workTree = pathOnDisk(root, directory).toString('utf8')
    using index = copyIndex(gitDir, scratch)
    const place = { gitDir: own, workTree, indexFile: index.file }
    for (const path of outermost(await listOthers(git, place, ALL_IGNORED))) {
      ignored.add(`${directory}/${path}` as BytePath)
    }
  }
  const walk = async (directory: BytePath, isIgnored: boolean): Promise<void> => {
    const place = pathOnDisk(root, directory)
    const entries = readdirSync(place, { withFileTypes: true, encoding: 'buffer' })
    if (entries.some(({ name }) => name.equals(DOT_GIT))) await meet(directory)
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.equals(DOT_GIT)) continue
      const path = `${directory}/${entry.name.toString('latin1')}` as BytePath
      const slashed = `${path}/` as BytePath
      // What set-up made, set-up makes again.
      const isAnew = ignored.has(slashed)
        ? isWholly(root, slashed, setUpAt)
        : isIgnored && isRebuilt(root, slashed)
      if (isAnew) dropped.push(slashed)
      else await walk(path, isIgnored || ignored.has(slashed))
    }
  }
  for (const top of populated) await walk(top, false)
  for (const gitDir of findModules(worktree.gitDir)) requireWhole(worktree, gitDir)
  return { pointers, dropped, repositories }
}

const DOT_GIT = Buffer.from('.git')

/** The git directory of a repository, if it is kept too; and where it lies. */
function openKept(
  { path: root, gitDir: around }: WorktreeRecord,
  populated: readonly BytePath[],
  directory: BytePath,
): { readonly gitDir: string; readonly at: Place } {
  const cannot = (why: string) => cannotKeep(root, `${shownPath(directory)}: ${why}`)
  // The directory is handed to programs as text.
  if (!isText(directory)) throw cannot('a repository whose name is no UTF-8')
  const place = pathOnDisk(root, directory).toString('utf8')
  const found = findInnerGitDir(place, [root, around])
  if ('refused' in found) throw cannot(found.refused)
  const { gitDir } = found
  const below = (side: Place['side'], top: string) => {
    const path = relative(realpathSync(top), gitDir).split(sep).join('/')
    return { side, path: Buffer.from(path).toString('latin1') as BytePath }
  }
  const inGit = below('git', around)
  if (inGit.path.startsWith(`${MODULES}/`)) return { gitDir, at: inGit }
  const inFiles = below('files', root)
  if (populated.some(top => inFiles.path.startsWith(`${top}/`))) return { gitDir, at: inFiles }
  throw cannot(`its git directory lies elsewhere, in ${gitDir}`)
}

/** What lies outside of a git directory, and belongs to it, is not kept with it. */
function requireWhole(worktree: WorktreeRecord, gitDir: string): void {
  const cannot = (why: string) => cannotKeep(worktree.path, `the repository ${gitDir}: ${why}`)
  if (existsSync(join(gitDir, 'commondir'))) throw cannot('it is a worktree of another one')
  if (holdsAny(join(gitDir, 'worktrees'))) throw cannot('it has worktrees of its own')
  const origin = originOf(worktree, gitDir)
  const known = origin === null ? undefined : realpathSync(join(origin, 'objects'))
  const other = alternatesOf(gitDir).find(objects => objects !== known)
  if (other !== undefined) throw cannot(`it borrows the objects in ${other}`)
}

export function holdsAny(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).length > 0
}

/** The directories whose objects it borrows, as far as they are there. */
function alternatesOf(gitDir: string): readonly string[] {
  const objects = join(gitDir, 'objects')
  const file = join(objects, 'info', 'alternates')
  const stats = lstatSync(file, { throwIfNoEntry: false })
  if (stats === undefined) return []
  // A FIFO would hold us, and a link may lead anywhere.
  if (!stats.isFile()) return [file]
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap(line => {
    if (line === '' || line.startsWith('#')) return []
    const named = line.startsWith('"') ? unquoted(line) : line
    const path = resolve(objects, named)
    return existsSync(path) ? [realpathSync(path)] : []
  })
}

const unquoted = (line: string) =>
  line.slice(1, -1).replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))

/** The user's own repository of a submodule: where git keeps those of the main checkout. */
function originOf({ gitDir: around, commonDir }: WorktreeRecord, gitDir: string): string | null {
  const name = relative(realpathSync(around), realpathSync(gitDir))
  const origin = join(commonDir, name)
  return name.startsWith(`${MODULES}${sep}`) && existsSync(join(origin, 'HEAD')) ? origin : null
}

async function show(
  git: Git,
  worktree: WorktreeRecord,
  gitDir: string,
  scratch: string,
): Promise<string> {
  const origin = originOf(worktree, gitDir)
  return (await borrowInner(git, gitDir, origin, mkdtempSync(join(scratch, 'own-')))).own
}

/** Of all that git keeps for the worktree's submodules, those that borrow the objects of the user's. */
export async function findBorrowers(
  git: Git,
  worktree: WorktreeRecord,
  repositories: readonly MetRepository[],
  scratch: string,
): Promise<readonly (Borrower & { readonly name: string })[]> {
  const borrowers: (Borrower & { readonly name: string })[] = []
  for (const found of findModules(worktree.gitDir)) {
    const gitDir = realpathSync(found)
    const origin = originOf(worktree, gitDir)
    if (origin === null) continue
    const objects = realpathSync(join(origin, 'objects'))
    if (!alternatesOf(gitDir).includes(objects)) continue
    // Its refs would not be read.
    if (existsSync(join(gitDir, 'reftable'))) {
      throw cannotKeep(worktree.path, `the repository ${gitDir}: its refs are no files`)
    }
    const name = relative(worktree.gitDir, found)
    const met = repositories.find(one => one.gitDir === gitDir)
    const own = met?.own ?? (await show(git, worktree, gitDir, scratch))
    borrowers.push({ gitDir, origin, own, name })
  }
  return borrowers
}
