/** What a search for repositories inside of a worktree goes through, and what it finds. */
import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { CommitId } from '../../domain/ids.ts'
import type { Base } from '../../domain/task.ts'
import { type BytePath, pathOnDisk } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import type { CapturedTree, Tree, TreeCapture } from './capture-tree.ts'
import type { Change, Gitlink } from './change.ts'
import { borrowInner, findInnerGitDir, type InnerRepository } from './inner-repository.ts'

/** A repository that was found; ours, with its objects, stays until the work is written out. */
export interface InnerCapture {
  /** Below the worktree, without a slash at the end. */
  readonly path: BytePath
  readonly repository: InnerRepository
  /** The user's repository that it was made from; null: there is none. */
  readonly origin: string | null
  /** Its working files, and what they started from; null: they are in the worktree's own commit. */
  readonly work: { readonly base: Base; readonly commit: CommitId } | null
}

export type CaptureTree = (git: Git, tree: Tree, capture: TreeCapture) => Promise<CapturedTree>

export interface InnerSearch {
  readonly git: Git
  readonly captureTree: CaptureTree
  readonly tree: Tree
  readonly place: GitPlace
  readonly capture: TreeCapture
  readonly gitlinks: Map<BytePath, Gitlink>
  readonly plain: Map<BytePath, Change>
  readonly inner: InnerCapture[]
  readonly leftOut: string[]
}

/** What the repository at a path holds, as far as it may be read. `refused`: why it may not. */
export type Opened = { readonly repository: InnerRepository; readonly refused: string | null }

export async function openInner(
  { git, tree, capture }: InnerSearch,
  path: BytePath,
  made: { readonly origin: string; readonly gitDir: string } | null,
): Promise<Opened> {
  const directory = pathOnDisk(tree.path, path).toString('utf8')
  const own = mkdtempSync(join(capture.scratch, 'inner-'))
  const origin = made?.origin ?? null
  const pointed = findInnerGitDir(directory, [tree.path, tree.gitDir])
  // Its pointer is broken where the repository was moved.
  const found =
    'refused' in pointed && made !== null && existsSync(join(made.gitDir, 'objects'))
      ? { gitDir: made.gitDir }
      : pointed
  if ('gitDir' in found) {
    return { repository: await borrowInner(git, found.gitDir, origin, own), refused: null }
  }
  // Its files can be read all the same.
  const format = tree.base.commit.length === 64 ? 'sha256' : 'sha1'
  makeOwnRepository(own, [], format)
  return { repository: { gitDir: own, own, head: null }, refused: found.refused }
}
