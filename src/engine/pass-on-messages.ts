/**
 * What was said to a task since its attempt was launched, and what its agent has heard of it. Kept in
 * the store alone, so that any worker can go on with it.
 */
import { showsHearing } from '../domain/activity.ts'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { SessionId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import type { Translation } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClaimedAttempt, Store } from '../ports/store.ts'
import { environmentOf } from './agent-home.ts'
import { listUnheard } from './all-said.ts'
import type { ReadPorts, Speaker } from './read-output.ts'

/** So far back it is looked for. */
const EVENTS_SEEN = 200

interface MessagePassing {
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

/**
 * Takes down what its session has of what was said to an attempt that is over, though its output did
 * not come to show it: whoever goes on in the session is not told it again.
 */
export async function takeKept(
  { task, attempt, agent }: Speaker,
  session: SessionId | null,
  { store, files, clock }: ReadPorts,
): Promise<void> {
  const hold = agent.keptSessions?.hold
  if (session === null || hold === undefined) return
  const said = (await listUnheard(task, store)).filter(
    ({ launchedWith }) => launchedWith !== attempt.fence,
  )
  if (said.length === 0) return
  const lookInto = async () => {
    const environment = await files.readEnvironment(attempt.task)
    const { id } = task.request.workplace
    return await hold(session, said, environmentOf(agent, session, id, environment, files))
  }
  // Where it cannot be read: it is told again, and the attempt ends as it would.
  const kept = await lookInto().catch(() => [])
  if (kept.length === 0) return
  await store.recordHeard(attempt, kept, clock.now())
  reach('message.heard')
}

/** A worker before this one may have taken down what shows it, and nothing else. */
async function wasAnythingDone({ task, fence }: ClaimedAttempt, store: Store): Promise<boolean> {
  const events = await store.lastEvents(task, EVENTS_SEEN)
  return events.some(event => event.fence === fence && showsHearing(event.body))
}
