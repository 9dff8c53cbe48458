/**
 * What the lines of a dialogue come to. A message is in Claude Code's conversation when it is repeated
 * (`isReplay`), but in its transcript only a little later: it counts as heard when the model has
 * answered since, so that it is not lost with a process that is killed between the two.
 */
import type { ClaudeTranslation } from '../state.ts'
import { parseMessageId } from './message-id.ts'
import { openRequest, questionOf } from './requests.ts'
import { talkOf, withTalk } from './state.ts'
import type { WireControlRequest, WireLifecycle } from './wire.ts'

const REQUESTS_KEPT = 16
/** Of heard messages: whoever reads them has taken the older ones down. */
const NUMBERS_KEPT = 256

export function hearReplay(state: ClaudeTranslation, uuid: string | undefined): ClaudeTranslation {
  const message = parseMessageId(uuid ?? '')
  return message === undefined
    ? state
    : withTalk(state, { taken: add(talkOf(state).taken, message.number) })
}

/** Its model has answered to all that is in its conversation. */
export function hearAnswer(state: ClaudeTranslation): ClaudeTranslation {
  const { taken } = talkOf(state)
  if (taken.length === 0) return state
  return withTalk({ ...state, heard: taken.reduce(add, state.heard ?? []) }, { taken: [] })
}

export function hearLifecycle(
  state: ClaudeTranslation,
  { command_uuid, state: phase }: WireLifecycle,
): ClaudeTranslation {
  const message = parseMessageId(command_uuid)
  if (message === undefined || state.heard?.includes(message.number)) return state
  const { number, round } = message
  switch (phase) {
    // Also of one that a hook of the user's keeps from the model: it will not be taken again.
    case 'completed':
      return { ...state, heard: add(state.heard ?? [], number) }
    case 'cancelled':
    case 'discarded':
    case 'refused': {
      const { refused, taken } = talkOf(state)
      return withTalk(state, {
        refused: { ...refused, [number]: round + 1 },
        taken: taken.filter(one => one !== number),
      })
    }
    default:
      return state
  }
}

export function hearRequest(state: ClaudeTranslation, line: WireControlRequest): ClaudeTranslation {
  const requests = [...talkOf(state).requests, openRequest(line)].slice(-REQUESTS_KEPT)
  return ask(withTalk(state, { requests }))
}

/** It waits for no answer to it any more: it has one, or its call or its turn is over. */
export function closeRequests(
  state: ClaudeTranslation,
  isClosed: (request: { readonly id: string; readonly call: string | null }) => boolean,
): ClaudeTranslation {
  const { requests } = talkOf(state)
  const left = requests.filter(one => !isClosed({ id: one.id, call: callOf(one) }))
  return left.length === requests.length ? state : ask(withTalk(state, { requests: left }))
}

const callOf = (request: object) =>
  'call' in request && typeof request.call === 'string' ? request.call : null

function ask(state: ClaudeTranslation): ClaudeTranslation {
  const questions = talkOf(state).requests.flatMap(request => questionOf(request) ?? [])
  return { ...state, questions }
}

function add(numbers: readonly number[], number: number): readonly number[] {
  return numbers.includes(number) ? numbers : [...numbers, number].slice(-NUMBERS_KEPT)
}
