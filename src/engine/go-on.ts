/**
 * Hands in a task that follows one that has ended, in the same session and worktree: `resume` goes on
 * with what stopped, `send` says more.
 */
import { defaultBounds } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import { followerName, type TaskId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import {
  beforeOpened,
  hasEnded,
  type Idempotency,
  resultOf,
  type Task,
  type Workplace,
} from '../domain/task.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { environmentOf } from './agent-home.ts'
import { isNews, listChain, listUnheard, THEN } from './all-said.ts'
import { checkPrompt } from './check-prompt.ts'
import { borrow, seeWorktree } from './choose-workplace.ts'
import { findStay } from './find-stay.ts'
import type { HandInPlan } from './hand-in.ts'
import {
  type Asker,
  findStart,
  type HeldStart,
  planAgain,
  type ResubmitPorts,
  refuseOpened,
  rightsOf,
  startFrom,
  takeOverSetUp,
} from './resubmit.ts'
import { requireSession } from './say.ts'
import { readUsed } from './watch-usage.ts'

/** Refuses a task that has succeeded, or whose worktree is gone. */
export async function planResume(
  task: Task,
  agent: Agent,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id } = task.request
  if (task.state.name !== 'failed' && task.state.name !== 'cancelled') {
    throw new AppError('refused_in_state', `${id} is ${task.state.name}: nothing of it stopped`, {
      hint: hasEnded(task.state)
        ? `holdfast send ${id} "…" says more to it; holdfast retry ${id} does it anew`
        : `holdfast logs -f ${id}`,
    })
  }
  refuseOpened(task)
  const place = await requirePlace(task, asker, ports)
  const plan = await planThere(task, place, agent, asker, ports)
  const unheard = await listUnheard(task, ports.store)
  if (unheard.length === 0) return plan
  const told = `Meanwhile you were told:\n\n${textOf(unheard)}`
  // Its session may not know a prompt of its own either.
  const prompt = isNews(task.request)
    ? Buffer.concat([plan.prompt, Buffer.from(`\n\n${told}`)])
    : Buffer.from(told)
  return {
    ...plan,
    prompt,
    request: { ...plan.request, ownPrompt: true },
  }
}

/**
 * Says more to a task that has ended. Where its worktree is lost, it goes on in a new one, with the
 * files that it had. Refuses with `bad_usage` an agent that has no sessions.
 */
export async function planFollowing(
  task: Task,
  text: string,
  idempotency: Idempotency | null,
  agent: Agent,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id } = task.request
  requireSession(agent)
  if (!hasEnded(task.state)) {
    throw new AppError('refused_in_state', `${id} has not ended: it is ${task.state.name}`, {
      hint: `holdfast send ${id} says it to its agent`,
    })
  }
  const prompt = Buffer.from(sayAfter(await findCarried(task, ports), text))
  checkPrompt(prompt, agent)
  const place = (await findPlace(task, asker, ports)) ?? findFiles(task, ports)
  const held = await asHeldBefore(task, ports.store)
  const plan = await planThere(held, place, agent, asker, ports)
  // What is said to a review is not answered by another one.
  const free = task.request.review === null ? {} : { review: null, outputSchema: null }
  return { ...plan, prompt, request: { ...plan.request, ...free, ownPrompt: true, idempotency } }
}

/** What a person has driven asked for nothing: who goes on is held as whoever was at work before. */
async function asHeldBefore(task: Task, store: Store): Promise<Task> {
  if (task.request.opened === null) return task
  const before = (await listChain(task, store)).findLast(({ request }) => request.opened === null)
  if (before === undefined) return { ...task, request: { ...task.request, priority: 0 } }
  const { permissions, fallback } = before.request
  const held = { ...beforeOpened(before.request), permissions }
  return {
    ...task,
    request: { ...task.request, ...held, fallback: fallback.slice(before.fallbacks) },
  }
}

/** Where a task goes on: in a worktree that is there, or in a new one with the files of the lost one. */
type GoOnPlace = TherePlace | { readonly kind: 'lost'; readonly held: HeldStart }

interface TherePlace {
  readonly kind: 'there'
  readonly workplace: Workplace
  readonly record: WorktreeRecord
  readonly newestTask: TaskId | null
  readonly commonDir: string
  /** Null: from the base that it had. */
  readonly takeBase: HandInPlan['takeBase'] | null
}

async function planThere(
  task: Task,
  place: GoOnPlace,
  agent: Agent,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<HandInPlan> {
  const { id, name, repo, fallback } = task.request
  const following = {
    name: followerName(name),
    fallback: fallback.slice(task.fallbacks),
    follows: id,
    session: task.session,
    ownPrompt: isNews(task.request),
  }
  if (place.kind === 'lost') {
    const plan = await planAgain(task, agent, asker, repo.root, ports)
    const from = startFrom(plan, place.held, task, ports)
    const sessionUsage = await readDriven(task, place, agent, from.environment, ports)
    return { ...from, request: { ...from.request, ...following, sessionUsage } }
  }
  const { commonDir, workplace, record, newestTask, takeBase } = place
  const moved = { ...task, request: { ...task.request, repo: { ...repo, commonDir } } }
  const plan = await planAgain(moved, agent, asker, record.path, ports)
  const sessionUsage = await readDriven(task, place, agent, plan.environment, ports)
  return {
    ...plan,
    request: { ...plan.request, ...following, sessionUsage, workplace },
    seen: { record, newestTask },
    ...(takeBase === null
      ? { setUp: await takeOverSetUp(task, rightsOf(task, plan), ports) }
      : { takeBase }),
  }
}

/** What a session has used by now that people have been in; null: they were not, or it is not known. */
async function readDriven(
  { request, session }: Task,
  place: GoOnPlace,
  agent: Agent,
  environment: Environment,
  { files }: ResubmitPorts,
) {
  const isHandedOff = place.kind === 'there' && place.takeBase !== null
  if (session === null || (request.opened === null && !isHandedOff)) return null
  const { kind, id } = place.kind === 'there' ? place.workplace : request.workplace
  const at =
    kind === 'borrowed' ? environment : environmentOf(agent, session, id, environment, files)
  return await readUsed(agent, session, at)
}

/** The same; refuses with `refused_in_state` where its worktree is gone. */
export async function requirePlace(
  task: Task,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<TherePlace> {
  const place = await findPlace(task, asker, ports)
  if (place === null) throw noWorktree(task.request.id)
  return place
}

/**
 * After a hand-off in either direction it starts from what is there: others have worked on it. Null:
 * its worktree is gone.
 */
async function findPlace(
  task: Task,
  asker: Asker,
  ports: ResubmitPorts,
): Promise<TherePlace | null> {
  const stay = await findStay(task, ports.store)
  if (stay.kind === 'handed_off' && stay.handOff.withSession) {
    return await findCheckout(stay.handOff.where, asker, ports)
  }
  const home = stay.kind === 'handed_back' ? stay.home : task
  const record = await findWorktree(home, ports)
  if (record === null) return null
  const { id, workplace } = home.request
  return {
    kind: 'there',
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
): Promise<TherePlace> {
  const checkout = await ports.worktrees.openCheckout(root)
  const { workplace, seen } = await borrow(checkout, environment, ports)
  const { record, newestTask } = seen
  if (record === null) throw new Error('a borrowed checkout has a record')
  const { commonDir } = checkout.place
  const takeBase = asItIs(root, ports)
  return { kind: 'there', workplace, record, newestTask, commonDir, takeBase }
}

function asItIs(root: string, { worktrees }: ResubmitPorts): HandInPlan['takeBase'] {
  const order = { ...defaultBounds.capture, changes: 'all', revision: null } as const
  return async (id, scratch) =>
    await worktrees.captureBase(await worktrees.openCheckout(root), id, scratch, order)
}

/** Null: it is gone. Refuses where another task is at work in it, or has been since. */
async function findWorktree(
  { request }: Task,
  { store, worktrees }: ResubmitPorts,
): Promise<WorktreeRecord | null> {
  const { id, workplace } = request
  const { stored, newestTask } = await seeWorktree(workplace.id, store)
  if (newestTask !== null && newestTask !== id) {
    throw new AppError('refused_in_state', `task ${newestTask} has worked there since ${id}`, {
      hint: `holdfast status ${newestTask}; holdfast retry ${id} does it anew`,
    })
  }
  // Where its repository is now, should it have been moved.
  const record = stored?.record == null ? null : worktrees.locateWorktree(stored.record)
  return record !== null && worktrees.lookAtWorktree(record) === 'present' ? record : null
}

/** What is left of a lost worktree of ours: its newest snapshot, or what was collected of it. */
function findFiles(task: Task, ports: ResubmitPorts): GoOnPlace {
  const { request, state } = task
  const { id, workplace } = request
  if (workplace.kind !== 'managed') throw noWorktree(id)
  const held = findStart(task, ports)
  if (held !== null) return { kind: 'lost', held }
  const commit = resultOf(state)?.commit ?? null
  if (commit === null || !hasEnded(state)) throw noWorktree(id)
  const leftOut = state.result?.leftOut ?? []
  return {
    kind: 'lost',
    held: { start: { from: id, commit, takenAt: state.endedAt, leftOut }, bundle: null },
  }
}

function noWorktree(id: TaskId): AppError {
  return new AppError('refused_in_state', `${id} has no worktree to go on in`, {
    hint: `holdfast retry ${id} does it anew`,
  })
}

/** What was said, and has not come to the session. */
interface Carried {
  /** The prompt of the task, none of whose agents ever ran; null: its session knows it. */
  readonly prompt: string | null
  readonly unheard: readonly Message[]
}

/** Of it, or of the last that was said anything: nothing is said to those that a person drives. */
async function findCarried(task: Task, { store, files }: ResubmitPorts): Promise<Carried> {
  const chain = await listChain(task, store)
  const last = chain.findLast(({ request }) => request.opened === null)
  if (last === undefined) return { prompt: null, unheard: [] }
  const { runs, request } = last
  const isLost = runs === 0 && isNews(request)
  return {
    prompt: isLost ? Buffer.from(await files.readPrompt(request.id)).toString('utf8') : null,
    unheard: await listUnheard(last, store),
  }
}

/** Where the prompt before is lost, with it in front: in that stands what was lost before that one. */
function sayAfter({ prompt, unheard }: Carried, text: string): string {
  if (prompt !== null) return [prompt, ...unheard.map(one => one.text), text].join(THEN)
  if (unheard.length === 0) return text
  return `Before your turn ended you had also been told:\n\n${textOf(unheard)}\n\nAnd now:\n\n${text}`
}

const textOf = (messages: readonly Message[]) => messages.map(({ text }) => text).join('\n\n')
