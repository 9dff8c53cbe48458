/**
 * What is owed to whom, and when it is tried. Pure. Each completion stays in the inbox until it is
 * acknowledged; subscribers are told besides, and a push may repeat or be lost.
 */
import { backoffDelay } from './backoff.ts'
import type { TaskId } from './ids.ts'
import type { Notice, NoticeEvent, Subscriber } from './notice.ts'
import { hasEnded, resultOf, type Task, type TaskState } from './task.ts'

/** Somebody who is told of a task. */
export interface Subscription {
  readonly to: Subscriber
  /** Asked for by name, not by default: it is told as well that all is idle. */
  readonly isNamed: boolean
  /** It waits for the task itself: it is told what it has not taken by then (`GIVE_WAY_MS`). */
  readonly givesWay?: boolean
}

/** Each subscriber once; by name, if it is by name anywhere. */
export function mergeSubscriptions(all: readonly Subscription[]): readonly Subscription[] {
  const merged = new Map<string, Subscription>()
  for (const one of all) {
    const key = JSON.stringify(one.to)
    if (merged.get(key)?.isNamed !== true) merged.set(key, one)
  }
  return [...merged.values()]
}

/** One message owed to one subscriber. */
export interface Delivery {
  /** The same however often it is sent. */
  readonly id: string
  readonly task: TaskId
  readonly event: NoticeEvent
  readonly createdAt: number
  /** How often it was tried in vain. */
  readonly attempts: number
}

/** `owed`: to be sent, or (in the inbox) seen. `dead`: it was given up. */
export type DeliveryState = 'owed' | 'sent' | 'acknowledged' | 'dead'

/** What comes to the same subscriber so soon after a message waits, and comes as one. */
export const GATHER_MS = 30_000
/** So long whoever waits for a task has to take its end, until it is told of it besides. */
export const GIVE_WAY_MS = 5_000
/** So often one is tried, over 17 minutes: whoever is away for longer finds it in the inbox. */
export const MOST_TRIES = 10
/** No try is put off for longer; more is a clock that was set. */
const LONGEST_PAUSE_MS = 15 * 60_000
/** A pause that is shorter is over before anybody has read of it. */
const WORTH_TELLING_MS = 60_000

/** When one that was tried so often in vain is tried again; undefined: not any more. */
export function nextTry(attempts: number, now: number, random: number): number | undefined {
  return attempts >= MOST_TRIES ? undefined : now + backoffDelay(attempts, random)
}

export function mayTry(nextTryAt: number | null, now: number): boolean {
  return nextTryAt === null || nextTryAt <= now || nextTryAt > now + LONGEST_PAUSE_MS
}

/** What subscribers are told of a transition; `key` names it within its task. */
export function tidingsOf(
  from: TaskState,
  to: TaskState,
  fence: number,
  now: number,
): { readonly event: NoticeEvent; readonly key: string } | undefined {
  if (hasEnded(to)) return hasEnded(from) ? undefined : { event: to.name, key: to.name }
  if (to.name === 'needs_input') {
    return { event: 'needs_input', key: `needs_input.${to.fence}.${to.question.id}` }
  }
  if (to.name !== 'waiting' || from.name === 'waiting' || !('failure' in to.wait)) return undefined
  if (to.wait.failure.code === 'stalled') return { event: 'stalled', key: `stalled.${fence}` }
  const isShort = to.wait.reason === 'backoff' && to.wait.until - now < WORTH_TELLING_MS
  return isShort ? undefined : { event: 'waiting', key: `waiting.${fence}` }
}

/** A delivery in words that anybody may read; the agent's own are not among them. */
export function makeNotice({ id, event, createdAt: at }: Delivery, task: Task): Notice {
  if (event === 'all_idle') return { id, event, at, task: null, command: 'holdfast inbox' }
  const { request, state } = task
  const result = resultOf(state)
  const isKnown = result !== null && result.commit !== null
  return {
    id,
    event,
    at,
    task: {
      id: request.id,
      name: request.name,
      agent: task.agent,
      repository: request.repo.root,
      files: isKnown ? result.files : null,
      insertions: isKnown ? result.insertions : null,
      deletions: isKnown ? result.deletions : null,
    },
    command: commandFor(event, request.id),
  }
}

function commandFor(event: NoticeEvent, id: TaskId): string {
  switch (event) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return `holdfast result ${id}`
    case 'stalled':
      return `holdfast logs ${id}`
    default:
      return `holdfast status ${id}`
  }
}

/** For people; without what may be secret in it. */
export function describeSubscriber(subscriber: Subscriber): string {
  switch (subscriber.kind) {
    case 'file':
      return `the file ${subscriber.path}`
    case 'command':
      return `the command ${subscriber.argv[0]}`
    case 'webhook':
      return `${subscriber.format === 'json' ? 'a webhook' : subscriber.format} at ${hostOf(subscriber.url)}`
    case 'desktop':
      return 'the desktop'
    case 'openclaw':
      return subscriber.session === null ? 'OpenClaw' : `the OpenClaw session ${subscriber.session}`
    case 'claude':
      return `the Claude Code session ${subscriber.session ?? 'that asked'}`
  }
}

function hostOf(url: string): string {
  return /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)/.exec(url)?.[1] ?? 'its address'
}
