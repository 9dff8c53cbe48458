/**
 * The files of a running task as they are at a moment: as its result would be, but as one file in
 * the task directory. Nothing is written into the user's repository: a snapshot every few minutes
 * would fill it with packs. What keeps changing while it is read is named, and costs only itself.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { CommitId } from '../../domain/ids.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import type { RunningCapture, RunningOrder, WorktreeRecord } from '../../ports/worktrees.ts'
import { refuseTooLarge } from '../capture/bounds.ts'
import { captureTree } from '../capture/capture-tree.ts'
import { refOf } from '../capture/refs.ts'
import type { Survey } from '../capture/survey.ts'
import { type WritingPoints, writeDurably } from '../files/durable-file.ts'
import { factsOf } from '../files/file-facts.ts'
import { pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import { requirePresent } from '../git/registration.ts'

const POINTS: WritingPoints = ['snapshotting.bundle-written', 'snapshotting.bundle-renamed']

/** Thrown where all is as it was seen before: that is found out in the middle of a capture. */
class Unchanged extends Error {}

/** See `Worktrees.snapshotRunning`. */
export async function snapshotRunning(
  git: Git,
  worktree: WorktreeRecord,
  order: RunningOrder,
  now: number,
): Promise<RunningCapture> {
  const { base, task, fence, file } = order
  requirePresent(worktree)
  const scratch = join(dirname(file), `snapshotting-${fence}`)
  // What a killed try has left in it goes first.
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { mode: 0o700 })
  try {
    const target = makeTarget(worktree, base.commit, scratch)
    let seen = ''
    const inspect = (root: string, survey: Survey) => {
      if (root !== worktree.path) return
      seen = fingerprintOf(root, survey)
      if (seen === order.seen) throw new Unchanged()
      const stopped = survey.changes.length > order.bounds.maxFiles
      refuseTooLarge(root, survey.changes, stopped, order.bounds)
    }
    const { path, gitDir, commonDir } = worktree
    const tree = { path, gitDir, place: { gitDir, commonDir }, origin: commonDir, base }
    const { setUpAt } = order
    const capture = { target, task, setUpAt, now, scratch, inspect }
    const { commit, leftOut, inner } = await captureTree(git, tree, capture)
    if (commit === baseTreeCommit(base)) return { kind: 'as_base', seen }
    await writeDurably(dirname(file), basename(file), scratch, POINTS, async beside => {
      const range = [refOf(task, 'result'), `^${base.commit}`]
      await git.run(['bundle', 'create', '--quiet', beside, ...range], { place: target })
    })
    const submodules = inner.filter(({ work }) => work !== null)
    const apart = submodules.map(one => `${shownPath(one.path)}: not taken: work in a submodule`)
    return { kind: 'taken', seen, commit, leftOut: [...leftOut, ...apart] }
  } catch (error) {
    if (error instanceof Unchanged) return { kind: 'unchanged' }
    throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** A repository of our own, which borrows all that there is. */
function makeTarget({ commonDir }: WorktreeRecord, commit: CommitId, scratch: string): GitPlace {
  const gitDir = join(scratch, 'objects-apart')
  const format = commit.length === 64 ? 'sha256' : 'sha1'
  makeOwnRepository(gitDir, [join(commonDir, 'objects')], format)
  const shallow = join(commonDir, 'shallow')
  // Else git looks for the parents of the oldest commits that are there.
  if (existsSync(shallow)) writeFileSync(join(gitDir, 'shallow'), readFileSync(shallow))
  return { gitDir }
}

/** By what the system says of each file; of what is in a repository inside it says nothing. */
function fingerprintOf(root: string, { head, changes, populated, nested }: Survey): string {
  const hash = createHash('sha256').update(`${head}\0`)
  if (populated.length + nested.length > 0) hash.update(`${performance.now()}`)
  for (const { path, present } of changes) {
    hash.update(`${path}\0${present ? factsOf(pathOnDisk(root, path)) : 'gone'}\0`, 'latin1')
  }
  return hash.digest('hex')
}
