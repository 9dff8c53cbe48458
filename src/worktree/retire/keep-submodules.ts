/** Keeps the submodules of a worktree that is to be retired: `kept-whole.ts` says how. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { reach } from '../../domain/crash-points.ts'
import { messageOf } from '../../domain/errors.ts'
import type { SetUpTime, WorktreeRecord } from '../../ports/worktrees.ts'
import { shownSize } from '../capture/bounds.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import { isDiskFull } from '../git/full-disk.ts'
import { type Git, GitError } from '../git/git.ts'
import { holdBorrowed } from './hold-borrowed.ts'
import { cannotKeep } from './ignored.ts'
import { findBorrowers, findInside, holdsAny, type Inside } from './inside.ts'
import { findBlobs } from './kept-blobs.ts'
import {
  type BlobsOf,
  type KeptFile,
  keepWhole,
  MODULES,
  type Place,
  type Side,
  type Sides,
  sizeOf,
  walkWhole,
} from './kept-whole.ts'

export interface SubmodulesOrder {
  readonly worktree: WorktreeRecord
  /** Those of the index that have something in them. */
  readonly populated: readonly BytePath[]
  /** A private one that exists. */
  readonly directory: string
  /** An empty one. */
  readonly scratch: string
  /** By which their own repositories hold what is borrowed of them. */
  readonly ref: string
  readonly bounds: Bounds
  readonly setUpAt: SetUpTime
}

/**
 * Refuses with `work_left`, naming what cannot be kept. Gives what was not kept, because a program
 * makes it anew. No spawn where there are no submodules.
 */
export async function keepSubmodules(git: Git, order: SubmodulesOrder): Promise<readonly string[]> {
  const { worktree, populated, directory, bounds } = order
  const sides = { files: worktree.path, git: worktree.gitDir }
  const modules = join(worktree.gitDir, MODULES)
  const hasModules = holdsAny(modules)
  if (populated.length === 0 && !hasModules) return []
  if (hasModules && !lstatSync(modules).isDirectory()) {
    throw cannotKeep(worktree.path, `${modules} leads elsewhere`)
  }
  try {
    const inside = await findInside(git, order)
    const packs = await packBorrowed(git, order, inside.repositories)
    const found = listAll(sides, populated, new Set(inside.dropped), hasModules)
    const blobs = await takeBlobs(git, order, inside.repositories, found.files)
    const inBlobs = new Set(blobs.flatMap(({ files }) => files.map(({ path }) => path)))
    const rest = found.files.filter(({ side, path }) => side === 'git' || !inBlobs.has(path))
    const files = [...rest, ...packs]
    refuseTooMuch(sides, files, bounds)
    keepWhole(sides, { ...inside, directories: found.directories, files, blobs }, directory)
    reach('snapshot.submodules-kept')
    return inside.dropped.map(shownPath)
  } catch (error) {
    const isOurs = error instanceof GitError || (error as NodeJS.ErrnoException).syscall
    if (!isOurs || isDiskFull(error)) throw error
    throw cannotKeep(worktree.path, `its submodules: ${messageOf(error)}`)
  }
}

function listAll(
  sides: Sides,
  populated: readonly BytePath[],
  dropped: ReadonlySet<BytePath>,
  hasModules: boolean,
): { readonly directories: readonly Place[]; readonly files: readonly KeptFile[] } {
  const directories: Place[] = []
  const files: KeptFile[] = []
  const take = (side: Side, top: BytePath, isDropped: (path: BytePath) => boolean) => {
    const walked = walkWhole(sides[side], top, isDropped)
    for (const path of walked.directories) directories.push({ side, path })
    for (const path of walked.files) files.push({ side, path })
  }
  for (const top of populated) take('files', top, path => dropped.has(path))
  if (hasModules) take('git', MODULES, () => false)
  return { directories, files }
}

/** What need not be copied, as the objects of its own repository have it. */
async function takeBlobs(
  git: Git,
  { worktree, scratch }: SubmodulesOrder,
  repositories: Inside['repositories'],
  files: readonly KeptFile[],
): Promise<readonly BlobsOf[]> {
  const left = new Set(files.flatMap(({ side, path }) => (side === 'files' ? [path] : [])))
  const blobs: BlobsOf[] = []
  for (const repository of repositories) {
    const found = await findBlobs(git, worktree.path, repository, left, scratch)
    // A repository in a directory of files that another one has.
    for (const { path } of found) left.delete(path)
    blobs.push({ gitDir: repository.at, files: found })
  }
  return blobs
}

function refuseTooMuch(
  sides: Sides,
  files: readonly KeptFile[],
  { maxFiles, maxBytes }: Bounds,
): void {
  const bytes = files.reduce((sum, file) => sum + sizeOf(sides, file), 0)
  if (files.length <= maxFiles && bytes <= maxBytes) return
  throw cannotKeep(
    sides.files,
    `${files.length} files of submodules, ${shownSize(bytes)}, are too much to keep ` +
      `(at most ${maxFiles} files and ${shownSize(maxBytes)})`,
  )
}

/** What those that borrow from the user's repositories need of them goes to where git looks for packs. */
async function packBorrowed(
  git: Git,
  { worktree, ref, scratch }: SubmodulesOrder,
  repositories: Inside['repositories'],
): Promise<readonly KeptFile[]> {
  const packs: KeptFile[] = []
  for (const borrower of await findBorrowers(git, worktree, repositories, scratch)) {
    const root = await holdBorrowed(git, borrower, ref, scratch)
    for (const name of root === null ? [] : readdirSync(root)) {
      const path = join(borrower.name, 'objects', 'pack', name)
      if (root === null || existsSync(join(worktree.gitDir, path))) continue
      const source = { root, path: name as BytePath }
      packs.push({ side: 'git', path: Buffer.from(path).toString('latin1') as BytePath, source })
    }
  }
  return packs
}
