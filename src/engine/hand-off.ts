/**
 * Hands a task off to a checkout of the user's, work and session, and takes that back. In this order
 * the files, what the checkout is then, the session, and the row: whatever dies in between is done
 * again by the same command, or taken back.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { CommitId } from '../domain/ids.ts'
import type { HandOff, Task } from '../domain/task.ts'
import type { Environment } from '../ports/agent.ts'
import type { Application, FileChange } from '../ports/applications.ts'
import type { Checkout, LeftBehind, Worktrees } from '../ports/worktrees.ts'
import {
  type Applied,
  type ApplyPorts,
  type ApplyWish,
  applyTask,
  recordGivenBack,
  requireResult,
} from './apply.ts'
import { refuseOwned } from './choose-workplace.ts'
import { findStored, openOrNothing } from './find-stored.ts'
import { planSession, type SessionFate, type SessionPorts, worktreeEnd } from './move-session.ts'

export interface HandOffPorts extends ApplyPorts, SessionPorts {
  readonly worktrees: Worktrees
}

interface HandOffWish extends ApplyWish {
  /** The caller's: it says where its agent keeps sessions. */
  readonly environment: Environment
}

interface HandedOff {
  readonly applied: Applied
  readonly session: SessionFate
  /** Null: its worktree is not there to be looked at. */
  readonly leftBehind: LeftBehind | null
  /** What keeps it from being handed back, in words; null: nothing. */
  readonly problem: string | null
}

/** Refuses as `applyTask` does, and where the work is in that checkout, or in another one, already. */
export async function handOffTask(
  task: Task,
  wish: HandOffWish,
  ports: HandOffPorts,
): Promise<HandedOff> {
  const { target, mode, environment } = wish
  const { root } = target.place
  requireResult(task)
  await refuseHandOff(task, wish, ports)
  const leftBehind = await findLeftBehind(task, ports)
  const ends = { from: await worktreeEnd(task, ports), to: { root, worktree: null } }
  const session = await planSession(task, ends, environment, ports)
  const applied = await applyTask(task, wish, ports)
  const looked = { applied, session, leftBehind, problem: null }
  if (mode === 'check' || applied.kind === 'conflicting') return looked
  reach('hand-off.files-written')
  const { state, problem } = await holdState(task, target, ports)
  if (session.kind === 'moves') await session.carry()
  reach('hand-off.session-carried')
  await record(task, { where: root, state, withSession: session.kind !== 'stays' }, ports)
  reach('hand-off.row-committed')
  return { ...looked, problem }
}

async function refuseHandOff(
  { request: { id, workplace }, taken }: Task,
  { target, environment }: HandOffWish,
  ports: HandOffPorts,
): Promise<void> {
  const { root } = target.place
  if (workplace.kind === 'borrowed') {
    throw new AppError('refused_in_state', `${id} worked in ${workplace.path}: it is there`)
  }
  const newest = await ports.store.newestTaskIn(workplace.id)
  if (newest !== null && newest !== id) {
    throw new AppError('refused_in_state', `${newest} has gone on from ${id} in its worktree`, {
      hint: `holdfast handoff ${newest} --to local`,
    })
  }
  const stored = await findStored(root, ports)
  if (stored !== undefined && stored.kind !== 'borrowed') {
    throw new AppError('refused_in_state', `${root} is the worktree ${stored.id} of Holdfast`, {
      hint: `only the work, without its session: holdfast apply ${id} --to '${root}'`,
    })
  }
  refuseOwned(root, environment, `only the work, without its session: holdfast apply ${id}`)
  if (taken?.how !== 'handed_off' || taken.where === root) return
  if ((await openOrNothing(taken.where, ports.worktrees)) === undefined) return
  throw new AppError('refused_in_state', `${id} is handed off to ${taken.where}`, {
    hint: `take that back first: holdfast handoff ${id} --undo`,
  })
}

async function findLeftBehind(
  { request: { workplace } }: Task,
  { store, files, worktrees }: HandOffPorts,
): Promise<LeftBehind | null> {
  const record = (await store.findWorktree(workplace.id))?.record ?? null
  if (record === null || worktrees.lookAtWorktree(record) !== 'present') return null
  return await worktrees.listLeftBehind(record, files.setUpTime(workplace.id))
}

/** What cannot be taken only means that it cannot be handed back: the files are there. */
async function holdState(
  { request: { id } }: Task,
  target: Checkout,
  { files, worktrees }: HandOffPorts,
): Promise<{ state: CommitId | null; problem: string | null }> {
  try {
    // Whoever dies here has handed nothing off: then there is nothing that goes back, either.
    const checkout = await worktrees.openCheckout(target.place.root)
    const scratch = files.directory(id)
    const held = await worktrees.holdHandState({ checkout, task: id, since: null, scratch })
    return { state: held.commit, problem: null }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { state: null, problem: messageOf(error) }
  }
}

async function record(
  { request: { id } }: Task,
  handOff: Pick<HandOff, 'where' | 'state' | 'withSession'>,
  { store, applications, clock }: HandOffPorts,
): Promise<void> {
  const newest = findApplication(id, handOff.where, applications.list(id))
  const { at = clock.now(), number = null } = newest ?? {}
  const taken = { how: 'handed_off', at, number, ...handOff } as const
  await store.recordTaken(id, taken, `handed off to ${handOff.where}`, clock.now())
}

function findApplication(
  task: string,
  root: string,
  all: readonly Application[],
): Application | undefined {
  return all.findLast(one => one.task === task && !one.isHandBack && one.root === root)
}

/** What was taken back: files, and where the session is again. */
export interface HandOffUndone {
  readonly root: string
  readonly files: readonly FileChange[]
  readonly session: SessionFate
}

/** Refuses with `leased` while a task is at work in a task's worktree, or where that was handed off to. */
export async function refuseLeased(
  { request }: Task,
  where: string,
  ports: Pick<HandOffPorts, 'store' | 'worktrees'>,
): Promise<void> {
  const both = [
    await findStored(where, ports),
    await ports.store.findWorktree(request.workplace.id),
  ]
  for (const stored of both) {
    if (stored === undefined || stored.leasedTo === null) continue
    throw new AppError('leased', `${stored.path} is in use by task ${stored.leasedTo}`, {
      hint: `holdfast wait ${stored.leasedTo}, or cancel it`,
    })
  }
}

/**
 * Refuses with `changed_since`, and touches nothing, if a file is not as it was written; and with
 * `leased` while a task is at work at either end.
 */
export async function undoHandOff(
  task: Task,
  handOff: HandOff,
  environment: Environment,
  ports: HandOffPorts,
): Promise<HandOffUndone> {
  const { id } = task.request
  const { applications, worktrees, store, clock } = ports
  const { where, number, withSession } = handOff
  await refuseLeased(task, where, ports)
  const ends = { from: { root: where, worktree: null }, to: await worktreeEnd(task, ports) }
  const session: SessionFate = withSession
    ? await planSession(task, ends, environment, ports)
    : { kind: 'none' }
  const all = applications.list(id)
  const application = all.find(one => one.number === number && !one.isHandBack)
  const later = all.findLast(one => one.root === where && !one.isHandBack)
  if (application !== undefined && later !== application) {
    throw new AppError('refused_in_state', `${id} was applied to ${where} once more since`, {
      hint: `take that back first: holdfast apply --undo ${id}`,
    })
  }
  await mendHandBack(all, ports)
  let files: readonly FileChange[] = []
  if (application !== undefined) {
    const target = await worktrees.openCheckout(where)
    files = await applications.withTarget(where, () => applications.undo(application, target))
    reach('hand-off.files-taken-back')
  }
  if (session.kind === 'moves') await session.carry()
  reach('hand-off.session-taken-back')
  if (number === null) await store.recordTaken(id, null, `taken back from ${where}`, clock.now())
  else await recordGivenBack(id, { root: where, number }, ports)
  await worktrees.dropHandState(task.request.repo.commonDir, id, 'handed')
  return { root: where, files, session }
}

/** Of a hand-back that was killed half-way the worktree is to hold nothing. */
async function mendHandBack(
  all: readonly Application[],
  { applications, worktrees }: HandOffPorts,
): Promise<void> {
  for (const application of all) {
    if (!application.isHandBack || application.isWhole) continue
    const target = await worktrees.openCheckout(application.root)
    await applications.withTarget(application.root, () => applications.undo(application, target))
  }
}
