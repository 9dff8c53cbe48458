/**
 * What was said to a task since its attempt was launched, and what its agent has heard of it. Kept in
 * the store alone, so that any worker can go on with it.
 */
import { showsHearing } from '../domain/activity.ts'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { Message } from '../domain/message.ts'
import type { Translation } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClaimedAttempt, Store } from '../ports/store.ts'

/** So far back it is looked for. */
const EVENTS_SEEN = 200

export interface MessagePassing {
  /**
   * Takes down what was heard, as far as the output tells. Gives what was not, and is to be said to
   * an agent that can be talked to: what the attempt was launched with it was told already.
   */
  look(translation: Translation, events: readonly AgentEvent[]): Promise<readonly Message[]>
}

export function passOnMessages(
  attempt: ClaimedAttempt,
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): MessagePassing {
  /** The store's change counter when the messages were last read. */
  let seen: number | undefined
  let unheard: readonly Message[] = []
  let isFirst = true
  /** With what the attempt was launched. */
  let isLaunchHeard = false
  return {
    async look(translation, events) {
      const counter = store.changeCounter()
      if (counter !== seen) {
        seen = counter
        const all = await store.listMessages(attempt.task)
        unheard = all.filter(({ heardAt }) => heardAt === null)
      }
      if (unheard.length === 0) return unheard
      isLaunchHeard ||= translation.turn?.ok === true || events.some(showsHearing)
      isLaunchHeard ||= isFirst && (await wasAnythingDone(attempt, store))
      isFirst = false
      const heard = unheard.filter(({ number, launchedWith }) =>
        launchedWith === attempt.fence ? isLaunchHeard : translation.heard?.includes(number),
      )
      if (heard.length > 0) {
        const numbers = heard.map(({ number }) => number)
        await store.recordHeard(attempt, numbers, clock.now())
        reach('message.heard')
        unheard = unheard.filter(message => !heard.includes(message))
      }
      return unheard.filter(({ launchedWith }) => launchedWith !== attempt.fence)
    },
  }
}

/** A worker before this one may have taken down what shows it, and nothing else. */
async function wasAnythingDone({ task, fence }: ClaimedAttempt, store: Store): Promise<boolean> {
  const events = await store.lastEvents(task, EVENTS_SEEN)
  return events.some(event => event.fence === fence && showsHearing(event.body))
}
