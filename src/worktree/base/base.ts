/** What a task starts from: the caller's commit and uncommitted changes, taken without a trace. */
import { statfsSync } from 'node:fs'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { type CommitId, parseCommitId, type TaskId, type WorktreeId } from '../../domain/ids.ts'
import type { Base } from '../../domain/task.ts'
import type { CaptureOrder, Checkout } from '../../ports/worktrees.ts'
import { dropTaken, refOf, type TakenAs } from '../capture/refs.ts'
import type { CaptureSubmodule } from '../capture/submodules.ts'
import { type Git, GitError } from '../git/git.ts'
import { captureCommit } from './base-of-commit.ts'
import { captureHead } from './base-with-changes.ts'

const CLOSED_HINT =
  'what a task starts from is kept in the repository, as objects and refs/holdfast/…; clone it to where you may write'

export interface BaseCapture {
  readonly checkout: Checkout
  /** Whose it is: with `as`, the name of the ref that holds it. */
  readonly owner: TaskId | WorktreeId
  readonly as: TakenAs
  /** A private directory that exists. */
  readonly scratch: string
  readonly order: CaptureOrder
  /** They are kept in another way: of them, what the index says is taken. */
  readonly withoutSubmodules?: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  /** Bytes that are free on the file system of a path. */
  readonly freeBytes: (path: string) => number
}

export function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/** See `Worktrees.captureBase`. Each populated submodule is captured in the same way. */
export async function captureBase(git: Git, capture: BaseCapture): Promise<Base> {
  const { checkout, order } = capture
  const { revision, changes } = order
  const captureSubmodule: CaptureSubmodule = (submodule, its) =>
    captureBase(git, { ...capture, checkout: submodule, order: its })
  const commit =
    revision === null ? checkout.head : await requireCommit(git, checkout.gitDir, revision)
  return await takingBack(git, capture, () =>
    changes === 'none' || commit !== checkout.head
      ? captureCommit(git, capture, commit, captureSubmodule)
      : captureHead(git, capture, captureSubmodule),
  )
}

/** See `Worktrees.requireCommit`. */
export async function requireCommit(git: Git, gitDir: string, revision: string): Promise<CommitId> {
  const words = ['rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`]
  const { status, stdout, stderr } = await git.run(words, { place: { gitDir }, answers: [128] })
  const commit = status === 0 ? parseCommitId(stdout.toString('latin1').trim()) : undefined
  if (commit !== undefined) return commit
  throw new AppError('no_commit', `${revision} names no commit of ${gitDir}`, {
    hint: 'name a branch, a tag or a commit that `git rev-parse` knows in this checkout',
    cause: new GitError('rev-parse', status, null, stderr),
  })
}

/** If it fails, no ref is left. */
async function takingBack(
  git: Git,
  { checkout, owner, as }: BaseCapture,
  work: () => Promise<Base>,
): Promise<Base> {
  try {
    return await work()
  } catch (error) {
    // A repository that cannot drop a ref could not make one: what failed first is what matters.
    await dropTaken(git, checkout.place.commonDir, refOf(owner, as)).catch(() => undefined)
    reach('refusal.ref-dropped')
    if (error instanceof AppError) throw error
    const why = `the working files were not taken: ${messageOf(error)}`
    if (error instanceof GitError && error.isFull) {
      throw new AppError('no_space', `the disk of ${checkout.place.commonDir} is full: ${why}`, {
        hint: 'make room there, and hand it in again',
        cause: error,
      })
    }
    const isClosed =
      error instanceof GitError &&
      /Permission denied|Read-only file system|unable to create directory/.test(error.stderr)
    throw new AppError('capture_failed', why, {
      ...(isClosed ? { hint: CLOSED_HINT } : {}),
      cause: error,
    })
  }
}
