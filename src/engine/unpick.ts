/** Takes a pick back: HEAD, index and files are as they were before it. */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import { shellWord } from '../domain/shell-word.ts'
import type { HeadMove, Task } from '../domain/task.ts'
import type { FileChange } from '../ports/applications.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { mend } from './apply.ts'
import { listAgain } from './pass-over.ts'
import type { PickPorts, PickWish } from './pick.ts'

export interface Unpicked {
  readonly root: string
  readonly files: readonly FileChange[]
  /** Of its group, those that are listed again. */
  readonly others: readonly Task[]
}

/**
 * Where it was picked, and on the branch that had moved then. Refuses with `not_applied` where no pick
 * is on record, with `changed_since` where HEAD stands for another branch now or has gone on since,
 * and as `Applications.unpick` does.
 */
export async function unpickTask(
  task: Task,
  wish: Omit<PickWish, 'target'>,
  ports: PickPorts & { readonly worktrees: Worktrees },
): Promise<Unpicked> {
  const { id, base } = task.request
  const { taken } = task
  if (taken?.how !== 'picked') {
    throw new AppError('not_applied', `${id} is not picked`, {
      hint: `what was applied is taken back by: holdfast apply --undo ${id}`,
    })
  }
  const { where, head } = taken
  const { store, applications, worktrees, clock } = ports
  return await applications.withTarget(where, async () => {
    const found = await worktrees.openCheckout(where)
    await mend(id, { ...wish, target: found }, ports)
    // What was killed half-way may have been ended by that.
    const target = await worktrees.openCheckout(where)
    if (head === undefined) throw notOurs(id, where)
    refuseBranch(id, where, head, await applications.findBranch(target))
    const isBack = target.head === head.from
    if (!isBack && target.head !== head.commit) throw goneOn(id, where, head)
    const { isStopped } = wish
    const files = isBack
      ? []
      : await applications.unpick({ task: id, base, head, target, isStopped })
    const others = await listAgain(task, ports)
    await store.recordTaken(id, null, `no longer picked in ${where}`, clock.now())
    reach('unpick.row-committed')
    return { root: where, files, others }
  })
}

function notOurs(id: string, where: string): AppError {
  return new AppError('not_applied', `HEAD of ${where} had all of ${id}: nothing was committed`, {
    hint: 'git revert takes commits back',
  })
}

/** What HEAD stands for now has nothing to do with the pick, whatever commit it is at. */
function refuseBranch(
  id: string,
  where: string,
  { from, commit, branch }: HeadMove,
  now: string | null,
): void {
  // An older Holdfast did not write it down.
  if (branch === undefined || branch === now) return
  const name = (one: string | null) => one ?? 'no branch'
  const back = branch === null ? `--detach ${commit}` : shellWord(branch)
  throw new AppError(
    'changed_since',
    `${id} was picked on ${name(branch)}, and ${where} is on ${name(now)} now`,
    {
      hint: `git switch ${back}, and then again; to take its commits back by others: git revert ${from}..${commit}`,
    },
  )
}

function goneOn(id: string, where: string, { from, commit }: HeadMove): AppError {
  return new AppError('changed_since', `HEAD of ${where} has moved since ${id} was picked`, {
    hint: `to take its commits back by others: git revert ${from}..${commit}`,
  })
}
