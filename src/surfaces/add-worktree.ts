/** Makes a worktree that no task has asked for, from the commit that its caller stands on. */
import { createHash } from 'node:crypto'
import { configuredBounds } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import { findNameProblem, permanentWorktreeId, type WorktreeId } from '../domain/ids.ts'
import type { KnownProcess } from '../domain/tie.ts'
import { type AddedWorktree, addWorktree, type WorktreeOrder } from '../engine/add-worktree.ts'
import type { SurfaceContext } from './context.ts'
import { restorePorts } from './hand-in-ports.ts'

export interface WorktreeWish {
  readonly name: string
  readonly kind: WorktreeOrder['kind']
  /** In the caller's words; undefined: HEAD. */
  readonly base?: string | undefined
  readonly holder: KnownProcess | null
}

/** The id of the worktree that bears a name in a repository. */
export function nameWorktree(name: string, commonDir: string): WorktreeId {
  return permanentWorktreeId(name, createHash('sha256').update(commonDir).digest('hex'))
}

export async function addNamedWorktree(
  { name, kind, base, holder }: WorktreeWish,
  context: SurfaceContext,
): Promise<AddedWorktree> {
  const { holdfast, directory } = context
  const problem = findNameProblem(name)
  if (problem !== null) throw new AppError('bad_usage', `"${name}" is no name: ${problem}`)
  const worktrees = await holdfast.worktrees()
  const checkout = await worktrees.openCheckout(directory)
  const { root, commonDir } = checkout.place
  const ports = await restorePorts(context)
  const order = {
    id: nameWorktree(name, commonDir),
    kind,
    checkout,
    commit: base === undefined ? checkout.head : await worktrees.requireCommit(checkout, base),
    bounds: configuredBounds(await holdfast.configuration(root), 'include'),
    holder,
  }
  return await addWorktree(order, ports)
}
