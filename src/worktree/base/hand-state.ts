/** What a checkout was when a task was handed off to it, and what the user has made of it since. */
import { defaultBounds } from '../../domain/configuration.ts'
import { reach } from '../../domain/crash-points.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import type { HandStateOrder } from '../../ports/worktrees.ts'
import { dropTaken, refOf } from '../capture/refs.ts'
import type { Git } from '../git/git.ts'
import { captureBase } from './base.ts'

export interface HandStateNeeds {
  readonly now: number
  readonly freeBytes: (path: string) => number
}

const HOLDFAST = { 'user.name': 'holdfast', 'user.email': 'holdfast@localhost' }

/** See `Worktrees.holdHandState`. */
export async function holdHandState(
  git: Git,
  { checkout, task, since, scratch }: HandStateOrder,
  { now, freeBytes }: HandStateNeeds,
): Promise<{ commit: CommitId; leftOut: readonly string[] }> {
  const { commonDir } = checkout.place
  const as = since === null ? 'handed' : 'returned'
  // One of an earlier time may stand where a submodule has none any more.
  await dropTaken(git, commonDir, refOf(task, as))
  const order = { changes: 'all', revision: null, ...defaultBounds.capture } as const
  const capture = { checkout, owner: task, as, scratch, order, now, freeBytes } as const
  const state = await captureBase(git, capture)
  const leftOut = state.changes?.leftOut ?? []
  const commit = baseTreeCommit(state)
  if (since === null) {
    reach('hand-off.state-held')
    return { commit, leftOut }
  }
  // A merge takes the newest that both sides come from for what was there before: that is `since`.
  const place = { gitDir: commonDir }
  const { stdout } = await git.run(['commit-tree', `${commit}^{tree}`, '-p', since], {
    place,
    input: Buffer.from(`holdfast ${task}: what was done since it was handed off\n`),
    config: HOLDFAST,
  })
  const made = parseCommitId(stdout.toString('latin1').trim())
  if (made === undefined) throw new Error(`git named no commit: ${stdout.toString('latin1')}`)
  await git.run(['update-ref', refOf(task, as), made], { place })
  reach('hand-back.state-held')
  return { commit: made, leftOut }
}
