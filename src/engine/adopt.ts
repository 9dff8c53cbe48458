/**
 * Takes over a worktree that another tool has made, as a permanent one of ours: tasks can work in it
 * by its name, and nothing takes it away. Nothing in it is touched, and nothing of it is copied.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import { lockHolder } from '../domain/other-tools.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { type PutAwayPorts, refuseInhabited } from './put-away.ts'
import { withWorktree } from './worktree-lock.ts'

/** A worktree that may be taken over. */
export interface Adoptable {
  readonly id: WorktreeId
  /** For `run --worktree`. */
  readonly name: string
  readonly tool: string
  readonly path: string
  readonly commonDir: string
  /** The reason of the lock that it bears; null: none. */
  readonly lock: string | null
}

type AdoptPorts = Pick<PutAwayPorts, 'store' | 'worktrees' | 'locks' | 'processes' | 'directory'>

/** Refuses with `leased` while anything is at work in it. */
export async function adopt(
  { id, tool, path, commonDir, lock }: Adoptable,
  ports: AdoptPorts,
): Promise<WorktreeRecord> {
  const { store, worktrees } = ports
  return await withWorktree(id, ports, async () => {
    const known = (await store.listWorktrees()).find(one => one.id === id || one.path === path)
    if (known !== undefined) {
      throw new AppError('refused_in_state', `${path} is the worktree ${known.id} already`)
    }
    refuseInhabited(path, ports)
    refuseHeld(path, lock, ports)
    const record = await worktrees.adoptWorktree({ id, kind: 'permanent', path, commonDir }, lock)
    await store.registerWorktree({ ...record, adoptedFrom: tool }, 'permanent')
    reach('adopt.recorded')
    return record
  })
}

/** A lock whose holder lives, or that names none, is somebody's word that it is in use. */
function refuseHeld(path: string, lock: string | null, { processes }: AdoptPorts): void {
  if (lock === null || lock.startsWith('holdfast ')) return
  const holder = lockHolder(lock)
  const lives =
    holder === undefined ||
    processes.scan('HOLDFAST_TASK', 0, () => undefined).some(({ pid }) => pid === holder)
  if (!lives) return
  throw new AppError('leased', `${path} is locked: ${lock}`, {
    hint: `once whoever locked it is through with it: git worktree unlock '${path}'`,
  })
}
