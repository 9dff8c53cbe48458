/**
 * Keeps build output of worktrees that were put away, where its user wants that: before their trees
 * are unlinked, what programs make anew goes into spare worktrees of the same repository. Only a
 * worker does it, alone with both.
 */
import { messageOf } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import { rightsOf } from '../domain/spare.ts'
import type { Locks } from '../ports/lock.ts'
import type { StoredSpare } from '../ports/store.ts'
import type { TrashedTree } from '../ports/worktrees.ts'
import { dropRow, type PoolPorts } from './pool.ts'
import { isStoreTrouble } from './trouble.ts'
import { tryAlone } from './worktree-lock.ts'

export interface FurnishPorts extends PoolPorts {
  readonly locks: Locks
}

/** One tree after the other, while `goesOn`; what it did, a line each. */
export async function furnishSpares(
  ports: FurnishPorts,
  goesOn: () => boolean,
): Promise<readonly string[]> {
  const { store, worktrees, files, locks } = ports
  const done: string[] = []
  for (const tree of worktrees.listTrash(files.trash())) {
    if (!goesOn()) break
    if (tree.kept !== null) continue
    const spare = (await store.listSpares()).find(one => isBare(one, tree))
    if (spare === undefined) continue
    try {
      const line = await tryAlone(tree.id, locks, () => furnish(spare, tree, ports))
      if (line != null) done.push(line)
    } catch (error) {
      if (isStoreTrouble(error)) throw error
      done.push(`spare worktree ${spare.id}: ${messageOf(error)}`)
    }
  }
  return done
}

const isBare = ({ spare, claimedBy, commonDir }: StoredSpare, tree: TrashedTree) =>
  spare !== null && spare.output === undefined && claimedBy === null && commonDir === tree.commonDir

async function furnish(
  { id, umask, spare, ...place }: StoredSpare,
  tree: TrashedTree,
  { store, worktrees }: FurnishPorts,
): Promise<string | null> {
  const rights = await findRights(tree.id, store)
  // While it is on its way nobody may take it.
  if (spare === null || !(await store.recordSpare(id, null))) return null
  const own = worktrees.withUmask(umask).inBackground()
  const furnished = await own.furnishSpare(spare, tree)
  if (furnished === null) {
    await dropRow({ id, umask, spare, ...place }, { store, worktrees })
    return `spare worktree ${id} dropped`
  }
  const { output } = furnished
  await store.recordSpare(id, output === undefined ? furnished : { ...furnished, rights })
  return output === undefined ? null : `spare worktree ${id} has ${output.join(', ')} of ${tree.id}`
}

/** With which rights that was written. */
async function findRights(id: WorktreeId, store: FurnishPorts['store']) {
  const all = await store.listTasks({})
  return rightsOf(all.filter(({ request }) => request.workplace.id === id))
}
