/**
 * What an agent changed: base → its working files, as a commit, a patch and a bundle. Nothing that
 * lies in the worktree is believed: not its `.git`, not its index, not its submodules.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { CollectedResult, SetUpTime, WorktreeRecord } from '../../ports/worktrees.ts'
import { type CapturedTree, captureTree } from '../capture/capture-tree.ts'
import { describeRepository, writeInner } from '../capture/inner-files.ts'
import { countLines, PATCH } from '../capture/patch.ts'
import { refOf } from '../capture/refs.ts'
import { type WritingPoints, writeDurably } from '../files/durable-file.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import { fetchHint } from '../git/partial-clone.ts'
import { requirePresent } from '../git/registration.ts'

const PATCH_POINTS: WritingPoints = ['collect.patch-written', 'collect.patch-renamed']
const BUNDLE_POINTS: WritingPoints = ['collect.bundle-written', 'collect.bundle-renamed']

export interface Collection {
  readonly worktree: WorktreeRecord
  readonly base: Base
  readonly task: TaskId
  readonly setUpAt: SetUpTime
  /** Milliseconds since 1970. */
  readonly now: number
}

/** See `Worktrees.collectResult`. */
export async function collectResult(
  git: Git,
  collection: Collection,
  directory: string,
): Promise<CollectedResult> {
  const { worktree, base, task } = collection
  const place: GitPlace = { gitDir: worktree.commonDir }
  const baseTree = baseTreeCommit(base)
  // What a killed worker has left in it goes first.
  const scratch = join(directory, 'collecting')
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { mode: 0o700 })
  return await namingFailure(scratch, async () => {
    const { commit, leftOut, inner } = await captureWorktree(git, collection, place, scratch)
    if (commit === baseTree) {
      await git.run(['update-ref', refOf(task, 'result'), baseTree], { place })
      reach('collect.ref-made')
    }
    await writeDurably(directory, 'result.patch', scratch, PATCH_POINTS, async (_path, file) => {
      await git.run([...PATCH, baseTree, commit, '--'], { place, outputTo: file })
    })
    if (commit === baseTree) {
      rmSync(join(directory, 'result.bundle'), { force: true })
    } else {
      await writeDurably(directory, 'result.bundle', scratch, BUNDLE_POINTS, async path => {
        const range = [refOf(task, 'result'), `^${base.commit}`]
        await git.run(['bundle', 'create', '--quiet', path, ...range], { place })
      })
    }
    const repositories = await writeInner(git, task, inner, directory, scratch)
    const kept = repositories.map(about => describeRepository(about, directory))
    const counts = await countLines(git, place, baseTree, commit)
    reach('collect.counted')
    const more = repositories.length === 0 ? {} : { repositories }
    return { commit, ...counts, leftOut: [...leftOut, ...kept], ...more }
  })
}

/**
 * See `Worktrees.diffNow`. Nothing is written to the user's repository: the objects go to a
 * repository of our own that borrows the rest.
 */
export async function diffNow(
  git: Git,
  collection: Collection,
  directory: string,
): Promise<Uint8Array> {
  const { worktree, base } = collection
  const scratch = mkdtempSync(join(directory, 'diff-'))
  return await namingFailure(scratch, async () => {
    const repository = join(scratch, 'objects-apart')
    const format = base.commit.length === 64 ? 'sha256' : 'sha1'
    makeOwnRepository(repository, [join(worktree.commonDir, 'objects')], format)
    const place: GitPlace = { gitDir: repository }
    const { commit } = await captureWorktree(git, collection, place, scratch)
    const { stdout } = await git.run([...PATCH, baseTreeCommit(base), commit, '--'], { place })
    return stdout
  })
}

/** Works in `scratch`, which goes with what is in it. */
async function namingFailure<T>(scratch: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) throw error
    const hint = fetchHint(error)
    throw new AppError('capture_failed', `the work was not collected: ${messageOf(error)}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function captureWorktree(
  git: Git,
  { worktree, base, task, setUpAt, now }: Collection,
  target: GitPlace,
  scratch: string,
): Promise<CapturedTree> {
  requirePresent(worktree)
  const { path, gitDir, commonDir } = worktree
  const tree = { path, gitDir, place: { gitDir, commonDir }, origin: commonDir, base }
  return await captureTree(git, tree, { target, task, setUpAt, now, scratch })
}
