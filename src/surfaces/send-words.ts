/** Says more to a task, whatever its state: for every surface. */
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import { stricterMode } from '../domain/permissions.ts'
import { type Caller, hasEnded, type Idempotency, type Task } from '../domain/task.ts'
import { findNewestOfChain, listChain } from '../engine/all-said.ts'
import { checkPrompt } from '../engine/check-prompt.ts'
import { requireSession, say } from '../engine/say.ts'
import { findParent } from '../engine/submit.ts'
import type { Store } from '../ports/store.ts'
import type { SurfaceContext } from './context.ts'
import { callerEnvironment, resubmitPorts, whoByDefault } from './hand-in-ports.ts'
import { lookAtTask, ringOrTell } from './look.ts'
import { iso } from './make-view.ts'
import { restoreIfPutAway } from './restore-if-put-away.ts'
import { type HandedIn, handInPlanned } from './submit.ts'
import type { SentView } from './view.ts'
import { requireWritableStore } from './writable-store.ts'

interface Words {
  /** Byte for byte. */
  readonly text: Uint8Array
  /** Sent twice under one key, it is said once; null: each time. */
  readonly key: string | null
  /** Whoever sends it stays for the end, and has it from there. */
  readonly isAwaited: boolean
  /** Refuses the task that would be told, or followed. Absent: nothing speaks against any. */
  readonly check?: (task: Task) => Promise<void>
}

export interface Sent {
  /** The task that was told, or the one that follows. */
  readonly task: Task
  /** Null: they are the prompt of a task that follows. */
  readonly message: Message | null
  /** False: they were sent before, under the same key. */
  readonly isNew: boolean
}

/** So often others may have been quicker. */
const TRIES = 5

/**
 * Durable when this returns; the worker is yet to be told. A chain is one conversation: whichever of
 * its tasks is named, its newest is told, or followed if it has ended. Which of the two it is, the
 * store decides.
 */
export async function sendWords(
  task: Task,
  { text, key, isAwaited, check }: Words,
  context: SurfaceContext,
): Promise<Sent> {
  const { holdfast } = context
  const store = await requireWritableStore(context)
  const named = await holdfast.agent(task.agent)
  requireSession(named)
  checkPrompt(text, named)
  const said = new TextDecoder('utf-8', { ignoreBOM: true }).decode(text)
  const idempotency = key === null ? null : await identify(task, key, said, store)
  const before = idempotency && (await findSent(idempotency, store))
  if (before) return before

  for (let tries = 1; ; tries++) {
    const newest = await findNewestOfChain(task, store)
    const { id } = newest.request
    await check?.(newest)
    const agent = await holdfast.agent(newest.agent)
    if (!hasEnded(newest.state)) {
      await refuseWider(newest, context.caller, store)
      const message = await say(newest, said, agent, store, context.now(), idempotency)
      if (message !== undefined) return { task: newest, message, isNew: true }
    }
    const ended = (await store.findTask(id)) ?? newest
    if (ended.state.name === 'cancelling') throw cancelling(id)
    try {
      const { task: following, isNew } = await follow(ended, said, idempotency, isAwaited, context)
      return { task: following, message: null, isNew }
    } catch (error) {
      const isOvertaken = (await findNewestOfChain(ended, store)).request.id !== id
      if (tries === TRIES || !isOvertaken || !(error instanceof AppError)) throw error
    }
  }
}

/** The same for all of a chain: what is sent to it twice under one key is one thing. */
async function identify(task: Task, key: string, text: string, store: Store): Promise<Idempotency> {
  const { createHash } = await import('node:crypto')
  const [first = task] = await listChain(task, store)
  const what = JSON.stringify(['send', first.request.id, text])
  return { key, fingerprint: createHash('sha256').update(what).digest('hex') }
}

async function findSent(idempotency: Idempotency, store: Store): Promise<Sent | undefined> {
  const said = await store.findSaid(idempotency)
  const task = said === undefined ? undefined : await store.findTask(said.task)
  if (said !== undefined && task !== undefined) {
    return { task, message: said.message, isNew: false }
  }
  const twin = await store.findTwin(idempotency)
  return twin === undefined ? undefined : { task: twin, message: null, isNew: false }
}

/** An agent gets nothing done by another one's agent that it may not do itself. */
async function refuseWider({ request }: Task, caller: Caller, store: Store): Promise<void> {
  const parent = await findParent(caller, store)
  const limit = parent?.request.permissions.effective ?? 'full'
  const { effective } = request.permissions
  if (stricterMode(effective, limit) === effective) return
  throw new AppError(
    'permissions_unavailable',
    `the task ${caller.id} that asks may do no more than ${limit}, and ${request.id} may do more`,
    { hint: 'say it in your final answer: whoever asked can send it' },
  )
}

function cancelling(id: TaskId): AppError {
  return new AppError('refused_in_state', `${id} is being cancelled`, {
    hint: `holdfast wait ${id}, and send it then: a task that follows goes on with it`,
  })
}

async function follow(
  task: Task,
  text: string,
  idempotency: Idempotency | null,
  isAwaited: boolean,
  context: SurfaceContext,
): Promise<HandedIn> {
  const { planFollowing } = await import('../engine/go-on.ts')
  await restoreIfPutAway(task, context)
  const asker = {
    caller: context.caller,
    environment: callerEnvironment(context),
    timeoutMs: null,
    budget: null,
    notify: await whoByDefault(isAwaited, context),
  }
  const agent = await context.holdfast.agent(task.agent)
  const ports = await resubmitPorts(context)
  const plan = await planFollowing(task, text, idempotency, agent, asker, ports)
  return await handInPlanned(plan, context)
}

/** What will become of what was said. */
export async function whenHeard(
  { task, message }: Sent,
  { holdfast }: Pick<SurfaceContext, 'holdfast'>,
): Promise<SentView['heard']> {
  const { state } = task
  if (message === null || (state.name !== 'running' && state.name !== 'needs_input')) {
    return 'at_start'
  }
  const { dialogue } = await holdfast.agent(task.agent)
  if (dialogue?.saysMessages !== true || dialogue.waitsForEnd === true) return 'after_turn'
  // One version of an agent is talked to, and another given its prompt alone: its launch tells.
  const runDirectory = (await holdfast.files()).runDirectory(task.request.id, state.fence)
  const isTalkedTo = (await holdfast.host()).readBrief(runDirectory) !== null
  return isTalkedTo ? 'at_once' : 'after_turn'
}

/** With `ringOrTell` done, for a surface that answers with a document. */
export async function sendAndView(
  task: Task,
  words: Words,
  context: SurfaceContext,
): Promise<SentView> {
  const sent = await sendWords(task, words, context)
  await ringOrTell(context)
  return await viewSent(sent, context)
}

export async function viewSent(sent: Sent, context: SurfaceContext): Promise<SentView> {
  const { message, isNew } = sent
  const store = await context.holdfast.store()
  const task = (await store.findTask(sent.task.request.id)) ?? sent.task
  return {
    task: await lookAtTask(task, context),
    message: message && viewMessage(message),
    heard: await whenHeard(sent, context),
    isNew,
  }
}

function viewMessage({ number, text, sentAt, heardAt }: Message): SentView['message'] {
  return { number, text, sentAt: iso(sentAt), heardAt: heardAt === null ? null : iso(heardAt) }
}
