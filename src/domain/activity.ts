/**
 * How long attempts were at work. What counts is the time between two looks at a live agent, and of
 * a longer gap only a part: then the worker was away, or the machine asleep, for as long as nobody
 * knows. Neither is time in which an agent proves its health or wastes its chance. Pure, and
 * measured without the clock on the wall, which may be set.
 */
import type { AgentEvent, TaskEventBody } from './agent-events.ts'

/** All in milliseconds. */
export interface Activity {
  /** Of this attempt. */
  readonly activeMs: number
  /** Of the task, over its attempts, since its agent was last seen to get something done. */
  readonly fruitlessMs: number
}

/** Looks come every two seconds at least; on a machine under load, some seconds late. */
const LONGEST_LOOK_MS = 10_000

/** `elapsedMs`: since the look before. */
export function addLook({ activeMs, fruitlessMs }: Activity, elapsedMs: number): Activity {
  const counted = Math.min(Math.max(elapsedMs, 0), LONGEST_LOOK_MS)
  return { activeMs: activeMs + counted, fruitlessMs: fruitlessMs + counted }
}

/** What the agent said in the meantime: getting something done ends a fruitless while. */
export function addEvents(activity: Activity, events: readonly AgentEvent[]): Activity {
  return events.some(isProgress) ? { ...activity, fruitlessMs: 0 } : activity
}

/** Its model was given what the attempt was launched with: a turn can fail before that. */
export function showsHearing(body: TaskEventBody): boolean {
  return isProgress(body) && body.kind !== 'turn_ended'
}

/** That it begins, warns or fails is not yet something done: an agent that only dies does as much. */
export function isProgress({ kind }: TaskEventBody): boolean {
  switch (kind) {
    case 'message_ended':
    case 'reasoning_ended':
    case 'command_ended':
    case 'files_changed':
    case 'output_given':
    case 'turn_ended':
      return true
    case 'session_started':
    case 'turn_started':
    case 'command_started':
    case 'action_refused':
    case 'usage_reported':
    case 'warning_given':
    case 'error_given':
    case 'other':
    case 'task_queued':
    case 'attempt_started':
    case 'attempt_ended':
    case 'task_changed':
    case 'message_sent':
    case 'message_heard':
      return false
  }
}
