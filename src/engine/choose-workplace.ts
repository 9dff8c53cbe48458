/** Where a task's agent is to work: in a worktree of its own, a named one, or the caller's checkout. */
import { AppError } from '../domain/errors.ts'
import { permanentWorktreeId } from '../domain/ids.ts'
import type { Workplace } from '../domain/task.ts'
import type { Checkout, WorktreeRecord } from '../ports/worktrees.ts'
import type { PlanPorts, Submission } from './submit.ts'

/** The caller's wish. */
export type Place =
  | { readonly kind: 'own' }
  | { readonly kind: 'in_place' }
  | { readonly kind: 'named'; readonly name: string }

export interface ChosenWorkplace {
  /** Undefined: a worktree that is made for this task alone. */
  readonly workplace?: Workplace
  /** What is known of it, if it is there already. */
  readonly worktree?: WorktreeRecord
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
      return borrow(checkout, callerEnvironment, ports)
    case 'named':
      return await findPermanent(
        place.name,
        revision !== null || changes !== 'all',
        checkout,
        ports,
      )
  }
}

function borrow(
  checkout: Checkout,
  environment: Submission['callerEnvironment'],
  { worktrees, hash }: PlanPorts,
): ChosenWorkplace {
  const { root } = checkout.place
  const owner = ownerOf(root, environment)
  if (owner !== undefined) {
    throw new AppError('refused_in_state', `${root} belongs to ${owner}, which may delete it`, {
      hint: 'run it without --in-place: it gets a worktree of its own, with these changes',
    })
  }
  const worktree = worktrees.borrowCheckout(checkout, hash(root))
  return {
    workplace: { kind: 'borrowed', id: worktree.id, path: worktree.path },
    worktree,
    source: checkout,
  }
}

/** Who deletes checkouts like this one by itself; undefined: nobody that is known. */
function ownerOf(root: string, environment: Submission['callerEnvironment']): string | undefined {
  if (root.includes('/.claude/worktrees/')) return 'Claude Code'
  const codexHome = environment.CODEX_HOME || `${environment.HOME ?? ''}/.codex`
  return root.startsWith(`${codexHome}/worktrees/`) ? 'Codex' : undefined
}

/** Its state is what the next task starts from; a name that is new makes a worktree. */
async function findPermanent(
  name: string,
  startsElsewhere: boolean,
  checkout: Checkout,
  { store, worktrees, home, hash }: PlanPorts,
): Promise<ChosenWorkplace> {
  const id = permanentWorktreeId(name, hash(checkout.place.commonDir))
  const stored = await store.findWorktree(id)
  const path = stored?.path ?? `${home}/worktrees/${id}`
  const workplace = { kind: 'permanent', id, path } as const
  const record = stored?.record ?? null
  if (record === null) return { workplace, source: checkout }
  if (worktrees.lookAtWorktree(record) !== 'present') {
    throw new AppError(
      'refused_in_state',
      `the worktree ${name} at ${path} was deleted or replaced`,
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
  return { workplace, worktree: record, source: await worktrees.openCheckout(path) }
}
