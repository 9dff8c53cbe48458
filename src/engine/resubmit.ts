/**
 * Hands an ended task in again: `retry` anew, with a fresh session and worktree on the same base (with
 * the files of its last snapshot, where its worktree was lost before they were collected);
 * `resume` as a task that follows it, in the same session and worktree.
 */

import type { Budget } from '../domain/budget.ts'
import { defaultBounds } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { delegationBy } from '../domain/delegation.ts'
import { mergeSubscriptions, type Subscription } from '../domain/delivery.ts'
import { agentEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import { followerName, type TaskId } from '../domain/ids.ts'
import type { Start } from '../domain/snapshot.ts'
import { type Caller, hasEnded, type Task, type Workplace } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Trust } from '../ports/trust.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { findAccount } from './after-limit.ts'
import { borrow, seeWorktree } from './choose-workplace.ts'
import { findStay } from './find-stay.ts'
import type { HandInPlan } from './hand-in.ts'
import {
  mayRun,
  planSetUp,
  type SetUpPlan,
  type SetUpRights,
  type SetUpWish,
} from './plan-set-up.ts'
import { settlePermissions } from './settle-permissions.ts'
import { findParent } from './submit.ts'
import { requireVerifiable } from './verify.ts'

/** Who asks for it now: the first caller may be long gone, with its environment. */
export interface Asker {
  readonly caller: Caller
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Null: the limit that it had. */
  readonly timeoutMs: number | null
  /** Null: no limit. Absent: the limit that it had. */
  readonly memoryBytes?: number | null
  /** Null: what it had at first. */
  readonly budget: Budget | null
  /** Who is told by default of what it asks for. */
  readonly notify: readonly Subscription[]
}

export interface ResubmitPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly trust: Trust
  readonly confinement: Confinement
  /** A short name for a longer text, in hexadecimal. */
  readonly hash: (text: string) => string
}

export interface RetryWish {
  /** What its checkout says of set-up by now. */
  readonly setUp: SetUpWish
  /** It starts from its base, whatever was kept aside of its files. */
  readonly fresh: boolean
}

/** Refuses a task that has not ended. */
export async function planRetry(
  task: Task,
  agent: Agent,
  asker: Asker,
  wish: RetryWish,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id } = task.request
  if (!hasEnded(task.state)) {
    throw new AppError('refused_in_state', `${id} has not ended: it is ${task.state.name}`, {
      hint: `holdfast cancel ${id} first, or holdfast wait ${id}`,
    })
  }
  refuseOpened(task)
  const plan = await planAgain(task, agent, asker, task.request.repo.root, ports)
  const setUp = await planSetUpAnew(task, wish.setUp, rightsOf(task, plan), ports)
  const found = wish.fresh ? null : findStart(task, ports)
  if (found === null) return { ...plan, setUp }
  const { start, bundle } = found
  return {
    ...plan,
    request: { ...plan.request, start },
    setUp,
    async takeBase(anew, scratch) {
      const base = await plan.takeBase(anew, scratch)
      await ports.worktrees.holdStart(task.request.repo.commonDir, anew, start.commit, bundle)
      return base
    },
  }
}

/** Null: what it did was collected, or is not known. `bundle`: null where git has it. */
function findStart({ request, state, snapshot }: Task, { files }: ResubmitPorts) {
  const { id } = request
  if (snapshot !== null) {
    const { commit, takenAt, leftOut } = snapshot
    const start: Start = { from: id, commit, takenAt, leftOut }
    return { start, bundle: files.runningSnapshot(id, snapshot) }
  }
  const isCollected = 'result' in state && state.result?.commit != null
  return isCollected || request.start === null ? null : { start: request.start, bundle: null }
}

/** Refuses a task that has succeeded, or whose worktree is gone. */
export async function planResume(
  task: Task,
  agent: Agent,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id, name } = task.request
  if (task.state.name !== 'failed' && task.state.name !== 'cancelled') {
    throw new AppError('refused_in_state', `${id} is ${task.state.name}: nothing of it stopped`, {
      hint: hasEnded(task.state) ? `holdfast retry ${id} does it anew` : `holdfast logs -f ${id}`,
    })
  }
  refuseOpened(task)
  const place = await findPlace(task, asker, ports)
  const { commonDir, workplace, record } = place
  const moved = { ...task, request: { ...task.request, repo: { ...task.request.repo, commonDir } } }
  const plan = await planAgain(moved, agent, asker, record.path, ports)
  return {
    ...plan,
    request: {
      ...plan.request,
      name: followerName(name),
      workplace,
      fallback: task.request.fallback.slice(task.fallbacks),
      follows: id,
      session: task.session,
    },
    seen: { record, newestTask: place.newestTask },
    ...(place.takeBase === null
      ? { setUp: await takeOverSetUp(task, rightsOf(task, plan), ports) }
      : { takeBase: place.takeBase }),
  }
}

/** Nothing was asked of it that an agent could do by itself. */
function refuseOpened({ request: { id, opened } }: Task): void {
  if (opened === null) return
  throw new AppError('refused_in_state', `${id} was driven at a terminal`, {
    hint: `holdfast open ${id} goes on with it`,
  })
}

/** Where a task goes on. */
interface GoOnPlace {
  readonly workplace: Workplace
  readonly record: WorktreeRecord
  readonly newestTask: TaskId | null
  readonly commonDir: string
  /** Null: from the base that it had. */
  readonly takeBase: HandInPlan['takeBase'] | null
}

/** After a hand-off in either direction it starts from what is there: others have worked on it. */
export async function findPlace(
  task: Task,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<GoOnPlace> {
  const stay = await findStay(task, ports.store)
  if (stay.kind === 'handed_off' && stay.handOff.withSession) {
    return await findCheckout(stay.handOff.where, asker, ports)
  }
  const home = stay.kind === 'handed_back' ? stay.home : task
  const record = await requireWorktree(home, ports)
  const { id, workplace } = home.request
  return {
    workplace: { ...workplace, path: record.path },
    record,
    newestTask: id,
    commonDir: record.commonDir,
    takeBase: stay.kind === 'handed_back' ? asItIs(record.path, ports) : null,
  }
}

async function findCheckout(
  root: string,
  { environment }: Asker,
  ports: ResubmitPorts,
): Promise<GoOnPlace> {
  const checkout = await ports.worktrees.openCheckout(root)
  const { workplace, seen } = await borrow(checkout, environment, ports)
  const { record, newestTask } = seen
  if (record === null) throw new Error('a borrowed checkout has a record')
  const { commonDir } = checkout.place
  return { workplace, record, newestTask, commonDir, takeBase: asItIs(root, ports) }
}

function asItIs(root: string, { worktrees }: ResubmitPorts): HandInPlan['takeBase'] {
  const order = { ...defaultBounds.capture, changes: 'all', revision: null } as const
  return async (id, scratch) =>
    await worktrees.captureBase(await worktrees.openCheckout(root), id, scratch, order)
}

/** Whoever asks for it again: what it starts from is what was there when it was handed in. */
export function rightsOf({ request }: Task, plan: HandInPlan): SetUpRights {
  const delegated = request.delegation !== null || plan.request.delegation !== null
  return { permissions: plan.request.permissions, delegated }
}

/** A set-up that did not come to its end is still to be done, as it was trusted; null: it did. */
export async function takeOverSetUp(
  { request }: Task,
  rights: SetUpRights,
  { files, trust }: ResubmitPorts,
): Promise<SetUpPlan | null> {
  const command = request.setUp?.command ?? null
  if (command === null || files.setUpTime(request.workplace.id) !== null) return null
  const trusted =
    command.trusted && mayRun(rights) && trust.isTrusted(request.repo.commonDir, command.digest)
  const read = (n: number) => files.readScript(request.id, 'set-up', n)
  const kept = trusted ? command.scripts.map((_, n) => read(n)) : []
  const setUp = { command: { ...command, trusted }, scripts: await Promise.all(kept) }
  // The clean-up is that of the task that the worktree was made for.
  const commands = { 'set-up': setUp, 'clean-up': null }
  return { takeIncluded: async () => null, commands, directories: [] }
}

async function planAgain(
  { request }: Task,
  agent: Agent,
  { caller, environment: current, timeoutMs, memoryBytes, budget, notify }: Asker,
  root: string,
  { store, files, worktrees, confinement }: ResubmitPorts,
): Promise<HandInPlan> {
  const { workplace: _, id, base, start: __, setUp: ___, createdAt: ____, ...rest } = request
  const environment = agentEnvironment(current)
  const parent = await findParent(caller, store)
  const delegation = parent === undefined ? null : delegationBy(parent)
  const wish = { asked: request.permissions.asked, parent, asks: request.asks }
  const [permissions, account, prompt] = await Promise.all([
    settlePermissions(agent, wish, environment, confinement),
    findAccount(agent, environment),
    files.readPrompt(id),
    // What is relative is so to where the task works, not to whoever asks for it again.
    agent.findInstallation(environment, request.argv, `${root}/${request.repo.subdirectory}`),
  ])
  await requireVerifiable(request.verify, permissions, confinement)
  return {
    prompt,
    environment,
    request: {
      ...rest,
      start: null,
      agent: agent.name,
      permissions,
      account,
      caller,
      // Those who were told by default were told because of whoever asked the first time.
      notify: mergeSubscriptions([...request.notify.filter(({ isNamed }) => isNamed), ...notify]),
      budget: budget ?? request.budget,
      timeoutMs: timeoutMs ?? request.timeoutMs,
      after: [],
      idempotency: null,
      follows: null,
      session: null,
      sessionUsage: null,
      opened: null,
      delegation,
      memoryBytes: memoryBytes === undefined ? request.memoryBytes : memoryBytes,
      // Whoever asks again may be somebody else.
      tie: null,
    },
    setUp: null,
    async takeBase(anew: TaskId) {
      await worktrees.holdBase(request.repo.commonDir, anew, base)
      reach('base.held')
      return base
    },
  }
}

/** From the checkout as it is now; what was taken the last time went with the task's end. */
async function planSetUpAnew(
  { request }: Task,
  wish: SetUpWish,
  rights: SetUpRights,
  ports: ResubmitPorts,
): Promise<SetUpPlan | null> {
  try {
    const checkout = await ports.worktrees.openCheckout(request.repo.root)
    return planSetUp(checkout, wish, rights, ports)
  } catch (error) {
    // The checkout is gone: the base is not, and is what the task needs.
    if (error instanceof AppError) return null
    throw error
  }
}

async function requireWorktree(
  { request }: Task,
  { store, worktrees }: ResubmitPorts,
): Promise<WorktreeRecord> {
  const { id, workplace } = request
  const { stored, newestTask } = await seeWorktree(workplace.id, store)
  if (newestTask !== null && newestTask !== id) {
    throw new AppError('refused_in_state', `task ${newestTask} has worked there since ${id}`, {
      hint: `holdfast status ${newestTask}; holdfast retry ${id} does it anew`,
    })
  }
  // Where its repository is now, should it have been moved.
  const record = stored?.record == null ? null : worktrees.locateWorktree(stored.record)
  if (record !== null && worktrees.lookAtWorktree(record) === 'present') return record
  throw new AppError('refused_in_state', `${id} has no worktree to go on in`, {
    hint: `holdfast retry ${id} does it anew`,
  })
}
