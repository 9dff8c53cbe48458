/** Where a task's agent is to work: in a worktree of its own, a named one, or the caller's checkout. */
import { AppError } from '../domain/errors.ts'
import { permanentWorktreeId, type TaskId, type WorktreeId } from '../domain/ids.ts'
import type { Workplace } from '../domain/task.ts'
import type { SeenWorktree, Store, StoredWorktree } from '../ports/store.ts'
import type { Checkout, WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { findStored } from './find-stored.ts'
import type { PlanPorts, Submission } from './submit.ts'

/** The caller's wish. */
export type Place =
  | { readonly kind: 'own' }
  | { readonly kind: 'in_place' }
  | { readonly kind: 'named'; readonly name: string }

export interface ChosenWorkplace {
  /** Undefined: a worktree that is made for this task alone. */
  readonly workplace?: Workplace
  /** How it looks, if it is not made for this task alone. */
  readonly seen?: SeenWorktree
  /** The checkout whose commit and changes the task starts from. */
  readonly source: Checkout
}

/** Refuses with `refused_in_state` what is lost or may be taken away. */
export async function chooseWorkplace(
  { place, callerEnvironment, revision, changes }: Submission,
  checkout: Checkout,
  ports: PlanPorts,
): Promise<ChosenWorkplace> {
  switch (place.kind) {
    case 'own':
      return { source: checkout }
    case 'in_place':
      return await borrow(checkout, callerEnvironment, ports)
    case 'named':
      return await findPermanent(
        place.name,
        revision !== null || changes !== 'all',
        checkout,
        ports,
      )
  }
}

const OWN_HINT = 'run it without --in-place: it gets a worktree of its own, with these changes'

/** The caller's checkout, to work in. */
export async function borrow(
  checkout: Checkout,
  environment: Submission['callerEnvironment'],
  ports: Pick<PlanPorts, 'store' | 'worktrees' | 'hash'>,
): Promise<ChosenWorkplace & { readonly workplace: Workplace; readonly seen: SeenWorktree }> {
  const { store, worktrees, hash } = ports
  const { root } = checkout.place
  refuseOwned(root, environment, OWN_HINT)
  const record = worktrees.borrowCheckout(checkout, hash(root))
  // Its lock says so first, unless somebody has taken that away.
  const stored = await findStored(root, ports)
  if (stored !== undefined && stored.id !== record.id) {
    throw new AppError('refused_in_state', `${root} is the worktree ${stored.id} of Holdfast`, {
      hint: OWN_HINT,
    })
  }
  const { newestTask } = await seeWorktree(record.id, store)
  return {
    workplace: { kind: 'borrowed', id: record.id, path: record.path },
    seen: { record, newestTask },
    source: checkout,
  }
}

/** Nobody should go on working in what somebody else deletes. */
export function refuseOwned(
  root: string,
  environment: Submission['callerEnvironment'],
  hint: string,
): void {
  const owner = ownerOf(root, environment)
  if (owner === undefined) return
  throw new AppError('refused_in_state', `${root} belongs to ${owner}, which may delete it`, {
    hint,
  })
}

/** Who deletes checkouts like this one by itself; undefined: nobody that is known. */
function ownerOf(root: string, environment: Submission['callerEnvironment']): string | undefined {
  if (root.includes('/.claude/worktrees/')) return 'Claude Code'
  const codexHome = environment.CODEX_HOME || `${environment.HOME ?? ''}/.codex`
  return root.startsWith(`${codexHome}/worktrees/`) ? 'Codex' : undefined
}

/** Its state is what the next task starts from; a name that is new, or was deleted, makes a worktree. */
async function findPermanent(
  name: string,
  startsElsewhere: boolean,
  checkout: Checkout,
  { store, worktrees, home, hash }: PlanPorts,
): Promise<ChosenWorkplace> {
  const id = permanentWorktreeId(name, hash(checkout.place.commonDir))
  const { stored, newestTask } = await seeWorktree(id, store)
  if (stored === undefined && (await store.listSnapshots(id)).length > 0) {
    // Made anew, it would be put away over what is kept of it.
    throw new AppError('refused_in_state', `the worktree ${name} was put away`, {
      hint: `holdfast restore ${id} brings it back; or choose another name`,
    })
  }
  const path = stored?.path ?? `${home}/worktrees/${id}`
  const workplace = { kind: 'permanent', id, path } as const
  const record = stored?.record ?? null
  if (record === null || isDeleted(record, worktrees)) {
    return { workplace, seen: { record: null, newestTask }, source: checkout }
  }
  if (worktrees.lookAtWorktree(record) !== 'present') {
    throw new AppError(
      'refused_in_state',
      `the worktree ${name} at ${path} was replaced, or its disk is not mounted`,
      {
        hint: 'choose another name, or see: holdfast doctor',
      },
    )
  }
  if (startsElsewhere) {
    throw new AppError('refused_in_state', `the worktree ${name} has a state of its own`, {
      hint: 'without --base and --changes the task starts from it; or choose another name',
    })
  }
  const source = await worktrees.openCheckout(path)
  return { workplace, seen: { record, newestTask }, source }
}

/** Then its name is free again; `prepare-worktree.ts` keeps what only its registration still holds. */
function isDeleted(record: WorktreeRecord, worktrees: Worktrees): boolean {
  return worktrees.lookAtWorktree(record) === 'worktree_lost' && worktrees.isGone(record)
}

/**
 * A worktree that others use as well. Refuses with `leased` while somebody does: what a task would
 * start from changes until then.
 */
export async function seeWorktree(
  id: WorktreeId,
  store: Store,
): Promise<{ readonly stored: StoredWorktree | undefined; readonly newestTask: TaskId | null }> {
  // In this order: a task that comes and goes in between is seen in the second look.
  const stored = await store.findWorktree(id)
  if (stored?.leasedTo != null) {
    throw new AppError('leased', `${stored.path} is in use by task ${stored.leasedTo}`, {
      hint: `holdfast wait ${stored.leasedTo}; a worktree of its own would be free at once`,
    })
  }
  return { stored, newestTask: await store.newestTaskIn(id) }
}
