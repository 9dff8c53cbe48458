/**
 * A worktree's state before its directory is taken away, and the worktree made of it again. It is
 * taken as what a task starts from is: read back, and held by one ref.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import type { SnapshotContent } from '../../domain/snapshot.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import type { Checkout, SetUpTime, WorktreeRecord } from '../../ports/worktrees.ts'
import { captureBase } from '../base/base.ts'
import { markTime } from '../capture/late-bytes.ts'
import { dropTaken, refOf } from '../capture/refs.ts'
import { readGitlinks } from '../capture/source-status.ts'
import { findPopulated } from '../capture/survey.ts'
import { findNoSpace } from '../git/full-disk.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { listRegistered, requirePresent } from '../git/registration.ts'
import { INCLUDED_BYTES, INCLUDED_LIST } from '../make/included.ts'
import { keepIgnored, refuseToKeep } from './ignored.ts'
import { keepSubmodules } from './keep-submodules.ts'
import { WHOLE_BYTES, WHOLE_LIST } from './kept-whole.ts'

export interface SnapshotOrder {
  readonly worktree: WorktreeRecord
  readonly number: number
  /** A private one that exists: ignored files go there. */
  readonly directory: string
  readonly bounds: Bounds
  readonly setUpAt: SetUpTime
  /** Milliseconds since 1970. */
  readonly now: number
  readonly freeBytes: (path: string) => number
}

/** See `Worktrees.takeSnapshot`. `filtering`: the git that may run filters, once it is known how. */
export async function takeSnapshot(
  git: Git,
  filtering: Promise<Git>,
  order: SnapshotOrder,
): Promise<SnapshotContent> {
  const { worktree, number, directory, bounds, setUpAt, now, freeBytes } = order
  const { id, path, gitDir, commonDir } = worktree
  requirePresent(worktree)
  const place = { gitDir, commonDir, workTree: path }
  const as = `snapshot/${number}` as const
  const scratch = join(directory, SCRATCH)
  // What a killed try has left.
  for (const name of [INCLUDED_BYTES, INCLUDED_LIST, WHOLE_BYTES, WHOLE_LIST, SCRATCH]) {
    rmSync(join(directory, name), { recursive: true, force: true })
  }
  const begunAt = String(markTime(directory))
  const keepAllIgnored = async () => {
    const ignored = await keepIgnored(git, place, directory, bounds, setUpAt)
    reach('snapshot.ignored-kept')
    return ignored
  }
  const captureRest = async () => {
    const { checkout, branch } = await openWorktree(git, place, path)
    const own = await filtering
    const populated = findPopulated(path, await readGitlinks(git, checkout, scratch))
    const inside = { worktree, populated, directory, scratch, ref: refOf(id, as), bounds, setUpAt }
    const anew = await keepSubmodules(own, inside)
    const order = { changes: 'all', revision: null, ...bounds } as const
    const capture = { checkout, owner: id, as, scratch, order, withoutSubmodules: true }
    const state = await captureBase(own, { ...capture, now, freeBytes })
    refuseToKeep(path, state.changes?.leftOut ?? [])
    return { state, branch, anew }
  }
  try {
    mkdirSync(scratch, { mode: 0o700 })
    const kept = [keepAllIgnored(), captureRest()] as const
    // What one of them refuses must not be written by the other afterwards.
    await Promise.allSettled(kept)
    const [ignored, { state, branch, anew }] = await Promise.all(kept)
    reach('snapshot.taken')
    const dropped = [...ignored.dropped, ...anew]
    return { state, branch, ignored: { ...ignored, dropped }, begunAt }
  } catch (error) {
    // A repository that cannot drop a ref could not make one: what failed first is what matters.
    await dropTaken(git, commonDir, refOf(id, as)).catch(() => undefined)
    const what = `no snapshot could be taken of ${path}`
    throw findNoSpace(error, what, 'free some space; it stays as it is') ?? error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** In the private directory, while the snapshot is taken. */
const SCRATCH = 'taking'

/** By its recorded git directory: what lies in the worktree is not asked. */
async function openWorktree(
  git: Git,
  place: GitPlace & { readonly commonDir: string },
  root: string,
): Promise<{ readonly checkout: Checkout; readonly branch: string | null }> {
  const words = ['--show-object-format', 'HEAD^{commit}', 'HEAD^{tree}', '--symbolic-full-name']
  const { stdout } = await git.run(['rev-parse', ...words, 'HEAD'], { place })
  const [format, commit = '', tree = '', branch = DETACHED] = stdout.toString('utf8').split('\n')
  const [head, headTree] = [parseCommitId(commit), parseCommitId(tree)]
  if (head === undefined || headTree === undefined) {
    throw new AppError('capture_failed', `HEAD of ${root} names no commit`)
  }
  const checkout: Checkout = {
    place: { root, commonDir: place.commonDir, subdirectory: '' },
    gitDir: place.gitDir,
    head,
    headTree,
    objectFormat: format === 'sha256' ? 'sha256' : 'sha1',
  }
  return { checkout, branch: branch === DETACHED ? null : branch }
}

/** What git gives as the full name of a HEAD that is on no branch. */
const DETACHED = 'HEAD'

/**
 * Puts HEAD on the branch that it was on, where that still is the same commit and no other worktree
 * holds it: git's own guard does not see `symbolic-ref`. In words why not; null: it is there.
 */
export async function returnToBranch(
  git: Git,
  { gitDir, commonDir, path }: WorktreeRecord,
  { branch, state }: SnapshotContent,
): Promise<string | null> {
  if (branch === null) return null
  const stays = (why: string) => `HEAD is detached at ${state.commit}: ${why}`
  const place = { gitDir: commonDir }
  const { stdout } = await git.run(['rev-parse', '--verify', '--quiet', branch], {
    place,
    answers: [1],
  })
  if (parseCommitId(stdout.toString('latin1').trim()) !== state.commit) {
    return stays(`${branch} was moved, or is gone`)
  }
  const others = await listRegistered(git, commonDir)
  const holder = others.find(other => other.branch === branch && other.path !== path)
  if (holder !== undefined) return stays(`${branch} is checked out in ${holder.path}`)
  try {
    await git.run(['symbolic-ref', 'HEAD', branch], { place: { gitDir, commonDir } })
    return null
  } catch (error) {
    return stays(messageOf(error))
  }
}

/** See `Worktrees.isContained`. */
export async function isContained(git: Git, commonDir: string, commit: CommitId): Promise<boolean> {
  const place = { gitDir: commonDir }
  const merged = await git.run(['merge-tree', '--write-tree', 'HEAD', commit], {
    place,
    answers: [1],
  })
  if (merged.status === 1) return false
  const { stdout } = await git.run(['rev-parse', 'HEAD^{tree}'], { place })
  return merged.stdout.equals(stdout)
}

/** The commit that holds all of a snapshot's files. */
export const snapshotCommit = ({ state }: SnapshotContent) => baseTreeCommit(state)
