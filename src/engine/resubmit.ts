/**
 * Hands an ended task in again, anew (`retry`): with a fresh session and worktree on the same base, and
 * with the files of its last snapshot, where its worktree was lost before they were collected. What is
 * the same for those that follow it (`go-on.ts`), is here.
 */

import type { Budget } from '../domain/budget.ts'
import { reach } from '../domain/crash-points.ts'
import { delegationBy } from '../domain/delegation.ts'
import { mergeSubscriptions, type Subscription } from '../domain/delivery.ts'
import { agentEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Start } from '../domain/snapshot.ts'
import { type Caller, hasEnded, resultOf, type Task, type TaskRequest } from '../domain/task.ts'
import type { Agent } from '../ports/agent.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Trust } from '../ports/trust.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { findAccount } from './after-limit.ts'
import { readAllSaid } from './all-said.ts'
import { trustAnew } from './choose-verify.ts'
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

interface RetryWish {
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
  // Its new session knows nothing yet.
  const anew = { ...plan, setUp, prompt: await readAllSaid(task, ports, true) }
  const found = wish.fresh ? null : findStart(task, ports)
  return found === null ? anew : startFrom(anew, found, task, ports)
}

/** The files that a task is to start from. */
export interface HeldStart {
  readonly start: Start
  /** Null: git has it. */
  readonly bundle: string | null
}

/** The same plan, in a new worktree with these files. */
export function startFrom(
  plan: HandInPlan,
  { start, bundle }: HeldStart,
  task: Task,
  { worktrees }: ResubmitPorts,
): HandInPlan {
  return {
    ...plan,
    request: { ...plan.request, start },
    async takeBase(anew, scratch) {
      const base = await plan.takeBase(anew, scratch)
      await worktrees.holdStart(task.request.repo.commonDir, anew, start.commit, bundle)
      return base
    },
  }
}

/** Null: what it did was collected, or is not known. */
export function findStart(
  { request, state, snapshot }: Task,
  { files }: ResubmitPorts,
): HeldStart | null {
  const { id } = request
  if (snapshot !== null) {
    const { commit, takenAt, leftOut } = snapshot
    const start: Start = { from: id, commit, takenAt, leftOut }
    return { start, bundle: files.runningSnapshot(id, snapshot) }
  }
  const isCollected = resultOf(state)?.commit != null
  return isCollected || request.start === null ? null : { start: request.start, bundle: null }
}

/** Nothing was asked of it that an agent could do by itself. */
export function refuseOpened({ request: { id, opened } }: Task): void {
  if (opened === null) return
  throw new AppError('refused_in_state', `${id} was driven at a terminal`, {
    hint: `holdfast open ${id} goes on with it`,
  })
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

/** Who goes on with it; one that has taken over knows none of the other's names. */
export function choiceFor(
  { name }: Agent,
  { agent, model, effort }: TaskRequest,
): Pick<TaskRequest, 'agent' | 'model' | 'effort'> {
  return name === agent ? { agent, model, effort } : { agent: name, model: null, effort: null }
}

export async function planAgain(
  { request }: Task,
  agent: Agent,
  { caller, environment: current, timeoutMs, memoryBytes, budget, notify }: Asker,
  root: string,
  { store, files, worktrees, trust, confinement }: ResubmitPorts,
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
  const verify = trustAnew(request.verify, request.repo.commonDir, trust)
  await requireVerifiable(verify, permissions, confinement)
  return {
    prompt,
    environment,
    request: {
      ...rest,
      start: null,
      verify,
      ...choiceFor(agent, request),
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
      ownPrompt: false,
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
