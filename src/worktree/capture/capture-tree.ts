/** A worktree's files as a commit on top of what it was made from. Nothing in it is believed. */
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { CommitId, TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { SetUpTime } from '../../ports/worktrees.ts'
import type { Git, GitPlace } from '../git/git.ts'
import type { PrivateIndex } from '../git/private-index.ts'
import { presentPaths, startCapture, withCapture } from './capture.ts'
import { captureInner } from './inner.ts'
import type { InnerCapture } from './inner-search.ts'
import { verifyCommits } from './read-back.ts'
import { refOf } from './refs.ts'
import { copyUsableIndex, type Survey, surveyWorktree } from './survey.ts'

/** A worktree, or a submodule in one. */
export interface Tree {
  readonly path: string
  /** Where its index lies, and where its own submodules may have theirs. */
  readonly gitDir: string
  /** What our git obeys: the recorded git directory, or one of our own making. */
  readonly place: GitPlace
  /** What its submodules were made from lies below the `modules` of this; null: nothing is known. */
  readonly origin: string | null
  readonly base: Base
}

export interface TreeCapture {
  /** Where the objects and the ref go. */
  readonly target: GitPlace
  readonly task: TaskId
  readonly setUpAt: SetUpTime
  /** Milliseconds since 1970. */
  readonly now: number
  /** A private directory that exists. What is made in it stays until the caller removes it. */
  readonly scratch: string
  /** Told of each tree that was looked at; where it throws, nothing is captured. */
  readonly inspect?: (root: string, survey: Survey) => void
}

export interface CapturedTree {
  /** The base's own, where nothing differs. */
  readonly commit: CommitId
  readonly leftOut: readonly string[]
  /** The repositories in it. */
  readonly inner: readonly InnerCapture[]
}

export async function captureTree(
  git: Git,
  tree: Tree,
  capture: TreeCapture,
): Promise<CapturedTree> {
  const { base } = tree
  const { target, task, setUpAt, now, scratch } = capture
  const baseTree = baseTreeCommit(base)
  const format = base.commit.length === 64 ? 'sha256' : 'sha1'
  const common = tree.place.commonDir ?? tree.place.gitDir
  const isElsewhere = target.gitDir !== common
  const elsewhere = isElsewhere ? { newObjects: join(target.gitDir, 'objects') } : {}
  const placeFor = (index: PrivateIndex) => ({
    ...tree.place,
    workTree: tree.path,
    indexFile: index.file,
    ...elsewhere,
  })

  using index = await copyUsableIndex(git, tree.gitDir, scratch, placeFor)
  reach('collect.index-copied')
  const place = placeFor(index)
  const survey = await surveyWorktree(git, place, index, { baseTree, setUpAt })
  capture.inspect?.(tree.path, survey)
  const found = await captureInner(git, tree, place, survey, capture, captureTree)
  const { changes, inner } = found
  const moved = survey.head !== null && survey.head !== base.commit ? [survey.head] : []
  if (changes.length === 0 && moved.length === 0) {
    return { commit: baseTree, leftOut: [...survey.leftOut, ...found.leftOut], inner }
  }
  const source = { place: async () => place, root: tree.path, format, provingIn: null } as const
  const started = startCapture(git, place, target)
  started.conversions.ask(presentPaths(changes))
  return await withCapture(git, started, source, changes, async taken => {
    reach('collect.blobs-given')
    const leftOut = [...taken.leftOut, ...survey.leftOut, ...found.leftOut]
    if (taken.delta.size === 0 && moved.length === 0) {
      await taken.importer.finish()
      return { commit: baseTree, leftOut, inner }
    }
    await taken.importer.commit({
      ref: refOf(task, 'result'),
      message: `holdfast ${task}: result\n`,
      time: Math.floor(now / 1000),
      from: baseTree,
      merge: moved,
      entries: taken.delta,
    })
    reach('collect.commit-given')
    const storing = taken.importer.finish()
    const parent = baseTree
    await verifyCommits(
      git,
      target,
      storing.then(ids => ids.map(commit => ({ commit, parent, delta: taken.delta }))),
    )
    const [commit] = await storing
    if (commit === undefined) throw new Error('git fast-import named no commit')
    reach('collect.imported')
    return { commit, leftOut, inner }
  })
}
