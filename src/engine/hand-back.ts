/**
 * Hands back what the user has made of a task's work in the checkout that it was handed off to: into
 * the task's worktree, where it can be gone on with. The checkout is as it was.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { CommitId } from '../domain/ids.ts'
import type { HandOff, Task } from '../domain/task.ts'
import type { Environment } from '../ports/agent.ts'
import type { ApplyOutcome } from '../ports/applications.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { type ApplyWish, mend } from './apply.ts'
import { findStay } from './find-stay.ts'
import { type HandOffPorts, type HandOffUndone, refuseLeased } from './hand-off.ts'
import { planSession, type SessionFate } from './move-session.ts'
import { type RestorePorts, restoreWorktree } from './restore.ts'
import { requireUnleased } from './retire.ts'
import { withWorktree } from './worktree-lock.ts'

export interface HandBackPorts extends HandOffPorts, RestorePorts {}

interface HandBackWish extends Omit<ApplyWish, 'target'> {
  readonly environment: Environment
}

interface HandedBack {
  readonly outcome: ApplyOutcome
  readonly worktree: WorktreeRecord
  readonly session: SessionFate
  /** What does not come along, or could not be brought back with the worktree, in words. */
  readonly problems: readonly string[]
}

/** Refuses with `leased` while a task is at work at either end, and as `Applications.apply` does. */
export async function handBackTask(
  task: Task,
  wish: HandBackWish,
  ports: HandBackPorts,
): Promise<HandedBack> {
  const { home, handOff, state } = await requireHandedOff(task, ports)
  await refuseBusy(home, handOff, ports)
  const missing = await standAgain(home, wish, ports)
  return await withWorktree(home.request.workplace.id, ports, async () => {
    const worktree = await requireWorktree(home, ports)
    const ends = endsOf(home, handOff, worktree)
    const session: SessionFate = handOff.withSession
      ? await planSession(task, ends, wish.environment, ports)
      : { kind: 'none' }
    const { outcome, leftOut } = await bringOver(home, handOff, state, worktree, wish, ports)
    const told = { outcome, worktree, session, problems: [...missing, ...leftOut] }
    if (wish.mode === 'check' || outcome.kind === 'conflicting') return told
    reach('hand-back.files-written')
    if (session.kind === 'moves') await session.carry()
    reach('hand-back.session-carried')
    await record(home, { ...handOff, how: 'handed_back' }, `handed back to ${worktree.path}`, ports)
    reach('hand-back.row-committed')
    return told
  })
}

function endsOf({ request }: Task, { where }: HandOff, { path }: WorktreeRecord) {
  const from = { root: where, worktree: null }
  return { from, to: { root: path, worktree: request.workplace.id } }
}

async function requireHandedOff(
  task: Task,
  { store }: HandBackPorts,
): Promise<{ home: Task; handOff: HandOff; state: CommitId }> {
  const { id } = task.request
  const stay = await findStay(task, store)
  if (stay.kind !== 'handed_off') {
    const is = stay.kind === 'handed_back' ? 'is in its worktree again' : 'was not handed off'
    throw new AppError('refused_in_state', `${id} ${is}: there is nothing to hand back`, {
      hint: `holdfast handoff ${id} --to local`,
    })
  }
  const { home, handOff } = stay
  const { state, where } = handOff
  if (state !== null) return { home, handOff, state }
  throw new AppError('refused_in_state', `what ${where} was when ${id} came is not known`, {
    hint: `holdfast handoff ${id} --to local once more says why`,
  })
}

async function refuseBusy(home: Task, { where }: HandOff, ports: HandBackPorts): Promise<void> {
  const { id, workplace } = home.request
  await refuseLeased(home, where, ports)
  const newest = await ports.store.newestTaskIn(workplace.id)
  if (newest === null || newest === id) return
  throw new AppError('refused_in_state', `task ${newest} has worked in its worktree since`, {
    hint: `holdfast status ${newest}`,
  })
}

/** A worktree that was put away is brought back first. Gives what could not be, in words. */
async function standAgain(
  { request: { id, workplace } }: Task,
  { mode }: HandBackWish,
  ports: HandBackPorts,
): Promise<readonly string[]> {
  if ((await ports.store.findWorktree(workplace.id)) !== undefined) return []
  if (mode === 'check') {
    throw new AppError('refused_in_state', `the worktree of ${id} was put away`, {
      hint: `to look, it has to be there: holdfast restore ${id}`,
    })
  }
  return (await restoreWorktree(workplace.id, null, ports)).problems
}

async function requireWorktree(
  { request: { workplace } }: Task,
  { store, worktrees }: HandBackPorts,
): Promise<WorktreeRecord> {
  const { path, record } = await requireUnleased(workplace.id, ['managed', 'permanent'], store)
  const worktree = record === null ? null : worktrees.locateWorktree(record)
  if (worktree !== null && worktrees.lookAtWorktree(worktree) === 'present') return worktree
  throw new AppError('refused_in_state', `${path} is not what was made for ${workplace.id}`, {
    hint: 'holdfast doctor says what is there',
  })
}

async function bringOver(
  { request: { id, repo } }: Task,
  { where }: HandOff,
  since: CommitId,
  worktree: WorktreeRecord,
  wish: HandBackWish,
  ports: HandBackPorts,
): Promise<{ outcome: ApplyOutcome; leftOut: readonly string[] }> {
  const { worktrees, applications, files } = ports
  const checkout = await worktrees.openCheckout(where)
  const target = await worktrees.openCheckout(worktree.path)
  const scratch = files.directory(id)
  const now = await worktrees.holdHandState({ checkout, task: id, since, scratch })
  try {
    return await applications.withTarget(target.place.root, async () => {
      if (wish.mode !== 'check') await mend(id, { target, onMended: wish.onMended }, ports)
      const outcome = await applications.apply({
        task: id,
        base: { commit: since, changes: null },
        result: now.commit,
        followed: [],
        isHandBack: true,
        target,
        mode: wish.mode,
        isStopped: wish.isStopped,
      })
      return { outcome, leftOut: now.leftOut }
    })
  } finally {
    await worktrees.dropHandState(repo.commonDir, id, 'returned')
  }
}

async function record(
  { request: { id } }: Task,
  handOff: HandOff,
  note: string,
  { store, clock }: HandBackPorts,
): Promise<void> {
  await store.recordTaken(id, handOff, note, clock.now())
}

/** Takes the files of the worktree back to what they were; the task is handed off again. */
export async function undoHandBack(
  task: Task,
  { home, handOff }: { readonly home: Task; readonly handOff: HandOff },
  environment: Environment,
  ports: HandBackPorts,
): Promise<HandOffUndone> {
  const { applications, worktrees } = ports
  await refuseBusy(home, handOff, ports)
  return await withWorktree(home.request.workplace.id, ports, async () => {
    const worktree = await requireWorktree(home, ports)
    const { path } = worktree
    const { from: to, to: from } = endsOf(home, handOff, worktree)
    const ends = { from, to }
    const session: SessionFate = handOff.withSession
      ? await planSession(task, ends, environment, ports)
      : { kind: 'none' }
    const target = await worktrees.openCheckout(path)
    const { root } = target.place
    const isOurs = (one: { isHandBack: boolean; root: string }) =>
      one.isHandBack && one.root === root
    const files = await applications.withTarget(root, async () => {
      const all = applications.list(home.request.id)
      const newest = all.findLast(isOurs)
      if (newest !== undefined) return await applications.undo(newest, target)
      const elsewhere = all.findLast(({ isHandBack }) => isHandBack)
      // Where nothing was to be written, nothing was.
      if (elsewhere === undefined) return []
      throw new AppError(
        'not_applied',
        `what was handed back is in ${elsewhere.root}, and not in ${root}`,
        { hint: 'the worktree stands elsewhere since; take back by hand what you do not want' },
      )
    })
    reach('hand-back.files-taken-back')
    if (session.kind === 'moves') await session.carry()
    await record(
      home,
      { ...handOff, how: 'handed_off' },
      `handed off again: ${path} as it was`,
      ports,
    )
    return { root, files, session }
  })
}
