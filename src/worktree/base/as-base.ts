/** Whether a checkout is still what a task of it started from. */

import { defaultBounds } from '../../domain/configuration.ts'
import type { TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { dropTaken, refOf } from '../capture/refs.ts'
import type { Git } from '../git/git.ts'
import { captureBase } from './base.ts'

export interface Comparison {
  readonly checkout: Checkout
  readonly task: TaskId
  readonly base: Base
  readonly scratch: string
  readonly now: number
  readonly freeBytes: (path: string) => number
}

const ALL = { changes: 'all', revision: null, ...defaultBounds.capture } as const

/** See `Worktrees.isAsBase`. Taken as a base is, so that no edit that git's index hides is passed over. */
export async function isAsBase(
  git: Git,
  { checkout, task, base, scratch, now, freeBytes }: Comparison,
): Promise<boolean> {
  if (checkout.head !== base.commit) return false
  const { commonDir } = checkout.place
  const capture = {
    checkout,
    owner: task,
    as: 'seen',
    scratch,
    order: ALL,
    now,
    freeBytes,
  } as const
  try {
    const seen = await captureBase(git, capture)
    return await isSame(git, commonDir, seen, base)
  } finally {
    await dropTaken(git, commonDir, refOf(task, 'seen'))
  }
}

/** Submodules by their commits: what changed inside of them is in the tree of none of theirs. */
async function isSame(git: Git, gitDir: string, seen: Base, base: Base): Promise<boolean> {
  const inner = ({ submodules = [] }: Base) =>
    JSON.stringify(submodules.map(({ path, base: { commit, changes } }) => [path, commit, changes]))
  if (inner(seen) !== inner(base)) return false
  const trees = [seen, base].map(one => `${baseTreeCommit(one)}^{tree}`)
  const { stdout } = await git.run(['rev-parse', ...trees], { place: { gitDir } })
  const [a, b] = stdout.toString('latin1').trim().split('\n')
  return a !== undefined && a === b
}
