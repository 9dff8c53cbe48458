/** What a review looks at: found, named by commits, and refused where it is not there. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { ReviewTarget } from '../domain/review.ts'
import { type Base, baseTreeCommit, hasEnded, type Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { ChangeScope, Checkout, CommitChange, Worktrees } from '../ports/worktrees.ts'
import { requireResult } from './apply.ts'
import { openOrNothing } from './find-stored.ts'
import type { Source } from './submit.ts'

/** In the caller's words. */
export type ReviewWish =
  /** What is not committed, if anything is; else the branch. */
  | { readonly kind: 'auto' }
  | { readonly kind: 'uncommitted' }
  /** What HEAD adds to another commit; null: to the branch that work is merged into here. */
  | { readonly kind: 'branch'; readonly base: string | null }
  | { readonly kind: 'commit'; readonly revision: string }
  | { readonly kind: 'task'; readonly task: Task }

/** What the task that reviews starts from, so that it stands in the state after the change. */
interface Reviewed {
  readonly target: ReviewTarget
  readonly changes: ChangeScope
  /** Null: where the checkout stands. */
  readonly revision: string | null
  /** Absent: the checkout that the caller stands in. */
  readonly source?: Source
  /** Something is not committed there, and is not looked at. */
  readonly passesOver?: true
}

interface ReviewPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
}

/** `directory`: where the caller stands; for a task it may be anywhere. */
export async function chooseReviewed(
  wish: ReviewWish,
  directory: string,
  ports: ReviewPorts,
): Promise<Reviewed> {
  if (wish.kind === 'task') return await reviewTask(wish.task, directory, ports)
  const checkout = await ports.worktrees.openCheckout(directory)
  switch (wish.kind) {
    case 'uncommitted':
      return UNCOMMITTED
    case 'commit':
      return await reviewCommit(wish.revision, checkout, ports)
    case 'branch':
      return await reviewBranch(wish.base, checkout, ports)
    case 'auto': {
      const { staged, unstaged, untracked } = await ports.worktrees.surveyChanges(checkout)
      const isDirty = staged + unstaged + untracked > 0
      return isDirty ? UNCOMMITTED : await reviewBranch(null, checkout, ports)
    }
  }
}

const UNCOMMITTED: Reviewed = { target: { kind: 'uncommitted' }, changes: 'all', revision: null }

async function reviewCommit(
  revision: string,
  checkout: Checkout,
  { worktrees }: ReviewPorts,
): Promise<Reviewed> {
  const commit = await worktrees.requireCommit(checkout, revision)
  const from = await worktrees.parentOf(checkout.place.commonDir, commit)
  return { target: { kind: 'commit', commit, from }, changes: 'none', revision: commit }
}

async function reviewBranch(
  wished: string | null,
  checkout: Checkout,
  { worktrees }: ReviewPorts,
): Promise<Reviewed> {
  const { branch, mainBranch, staged, unstaged, untracked } =
    await worktrees.surveyChanges(checkout)
  const base = wished ?? mainBranch
  if (base === null) {
    throw new AppError('no_commit', 'it is not known what this branch is compared with', {
      hint: 'name it, for example: holdfast review --base main; or what is not committed: --uncommitted',
    })
  }
  const commit = await worktrees.requireCommit(checkout, base)
  const from = await worktrees.mergeBase(checkout, commit)
  if (from === null) {
    throw new AppError('no_commit', `HEAD has no commit in common with ${base}`, {
      hint: 'in a shallow clone: git fetch --unshallow; else name another --base',
    })
  }
  const isDirty = staged + unstaged + untracked > 0
  return {
    target: { kind: 'branch', base, branch, from },
    changes: 'none',
    revision: null,
    ...(isDirty ? { passesOver: true } : {}),
  }
}

/** From its result, which the repository holds, or the task directory: its worktree may be gone. */
async function reviewTask(
  task: Task,
  directory: string,
  { files, worktrees }: ReviewPorts,
): Promise<Reviewed> {
  const { id, name, base, repo } = task.request
  if (!hasEnded(task.state)) {
    throw new AppError('not_finished', `${id} has not ended yet: it is ${task.state.name}`, {
      hint: `holdfast wait ${id}, and then: holdfast review ${id}`,
    })
  }
  const { commit: result } = requireResult(task)
  const { commonDir } = repo
  const found = [repo.root, directory].map(place => openOrNothing(place, worktrees))
  const checkout = (await Promise.all(found)).find(one => one?.place.commonDir === commonDir)
  const commits = { commonDir, task: id, base, result, directory: files.directory(id) }
  const reviewed: Base = { commit: result, changes: null }
  return {
    target: { kind: 'task', task: id, name, from: baseTreeCommit(base) },
    changes: 'none',
    revision: null,
    source: {
      repo,
      checkout: checkout ?? null,
      async takeBase(review) {
        await worktrees.requireTaskCommits(commits)
        await worktrees.holdBase(commonDir, review, reviewed)
        reach('base.held')
        return reviewed
      },
    },
  }
}

/** So much of a patch is looked at, to choose from. */
const PATCH_BYTES = 4_000_000

/** The change itself, once the base of the reviewing task is taken. Refuses an empty one. */
export async function readReviewed(
  target: ReviewTarget,
  base: Base,
  commonDir: string,
  { worktrees }: Pick<ReviewPorts, 'worktrees'>,
): Promise<CommitChange> {
  const from = target.kind === 'uncommitted' ? base.commit : target.from
  const order = { from, to: baseTreeCommit(base), mostBytes: PATCH_BYTES }
  const change = await worktrees.compareCommits(commonDir, order)
  if (change.files.length > 0) return change
  throw new AppError(
    'nothing_to_review',
    `there is nothing to review: ${describeNothing(target)}`,
    {
      hint: 'name what is to be reviewed: --uncommitted, --base REF, --commit SHA, or a task',
    },
  )
}

function describeNothing(target: ReviewTarget): string {
  switch (target.kind) {
    case 'uncommitted':
      return 'nothing here is uncommitted'
    case 'branch':
      return `HEAD has nothing that ${target.base} has not`
    case 'commit':
      return `the commit ${target.commit} changes no file`
    case 'task':
      return `${target.task} changed no file`
  }
}
