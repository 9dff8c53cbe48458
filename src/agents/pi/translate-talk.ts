/**
 * What is particular to a dialogue (`pi --mode rpc`) in Pi's output: its answers to our commands, and
 * whether a run that ended was the end of the turn. Pi tries again after some failures, and says so
 * right after the end of the run; what it answers to a question of ours comes later than that.
 */
import type { AgentEvent } from '../../domain/agent-events.ts'
import { asSessionId } from '../../domain/ids.ts'
import type { Translation, Translator } from '../../ports/agent.ts'
import { ABORT, digestOf, keyOfId, numberOf, PROMPT, STATE } from './commands.ts'
import { readRequest } from './requests.ts'
import { findSettleKey, memoryOf, NEW_TALK, type Talk, withTalk } from './state.ts'
import type { WireResponse, WireUiRequest } from './wire.ts'

type Translated = ReturnType<Translator['translate']>

/** Of what extensions ask at once, so much is kept. */
const MOST_OPEN = 64

/** What Pi keeps in its queue, though it was made to go on so often, it keeps for good. */
const MOST_KICKS = 3

const STOPPED = 'the turn was stopped'

/** Undefined: Pi was given its prompt alone. */
export const talkOf = (state: Translation): Talk | undefined => memoryOf(state).talk

export function failTurn(state: Translation, message: string): Translated {
  const failed = { ...state, answer: null, turn: { ok: false, message } } as const
  return {
    state: talkOf(state) === undefined ? failed : withTalk(failed, { ended: null, requests: [] }),
    events: [
      { kind: 'error_given', message },
      { kind: 'turn_ended', ok: false },
    ],
  }
}

/** A run of a dialogue has ended. */
export function endRun(state: Translation, talk: Talk, trouble: string | null): Translated {
  const ends = talk.ends + 1
  const ended = (changed: Partial<Talk>) =>
    withTalk(state, { ends, isStuck: false, requests: [], ...changed })
  if (trouble === null) {
    const isOpen = talk.queued.length > 0
    return {
      state: { ...ended({ ended: isOpen ? { trouble } : null }), turn: { ok: true } },
      events: [{ kind: 'turn_ended', ok: true }],
    }
  }
  return talk.isAborted
    ? failTurn(ended({}), trouble)
    : { state: ended({ ended: { trouble } }), events: [] }
}

/** The model was shown something that somebody said. */
export function showWords(state: Translation, text: string): Translation {
  const talk = talkOf(state)
  if (talk === undefined || talk.queued.length === 0) return state
  const digest = digestOf(text)
  const shown = talk.queued.find(one => one.digest === digest)
  if (shown === undefined) return state
  const queued = talk.queued.filter(one => one !== shown)
  return hear(withTalk(state, { queued, kicks: 0 }), [shown.number])
}

function hear(state: Translation, numbers: readonly number[]): Translation {
  return { ...state, heard: [...new Set([...(state.heard ?? []), ...numbers])] }
}

export function translateRequest(state: Translation, wire: WireUiRequest): Translated {
  const request = readRequest(wire)
  if (request !== undefined) {
    const { requests } = talkOf(state) ?? NEW_TALK
    const others = requests.filter(({ id }) => id !== request.id)
    return {
      state: withTalk(state, { requests: [...others, request].slice(-MOST_OPEN) }),
      events: [],
    }
  }
  const { method, message, notifyType = 'info' } = wire
  const isWarning = method === 'notify' && message !== undefined && notifyType !== 'info'
  return { state, events: isWarning ? [{ kind: 'warning_given', message }] : [] }
}

export function translateResponse(state: Translation, wire: WireResponse): Translated {
  const { key, digest } = keyOfId(wire.id ?? '')
  const talk = talkOf(state) ?? NEW_TALK
  const number = numberOf(key)
  if (number !== undefined) return takeMessage(state, talk, { number, digest, key }, wire)
  // Pi can stop before it was told to in vain.
  if (key === ABORT) {
    return state.turn === null
      ? failTurn(state, talk.ended?.trouble ?? STOPPED)
      : { state, events: [] }
  }
  if (!wire.success) return failTurn(state, wire.error ?? 'Pi refused, and did not say why')
  if (key === STATE) {
    const id = wire.data?.sessionId
    if (!id) return failTurn(state, 'Pi did not say which session it is in')
    const session = asSessionId(id)
    return {
      state: withTalk({ ...state, session }, {}),
      events: [{ kind: 'session_started', session }],
    }
  }
  if (key === PROMPT) return { state: withTalk(state, { isBegun: true }), events: [] }
  const isAsked = key === findSettleKey(state, talk) && talk.waitsFor === null
  return isAsked && wire.data?.isStreaming !== true
    ? settle(state, talk, wire.data?.pendingMessageCount ?? 0)
    : { state, events: [] }
}

function takeMessage(
  state: Translation,
  talk: Talk,
  {
    number,
    digest,
    key,
  }: { readonly number: number; readonly digest: string; readonly key: string },
  { success, error }: WireResponse,
): Translated {
  const taken = [...new Set([...talk.taken, number])]
  if (success) {
    const queued = [...talk.queued, { number, digest }]
    return { state: withTalk(state, { taken, queued }), events: [] }
  }
  const message = `Pi did not take message ${number}: ${error ?? 'it does not say why'}`
  const isAgain = key.startsWith('again:')
  // Between two turns, whatever keeps Pi from a message keeps it from the next turn too.
  if (isAgain || state.turn !== null) return failTurn(state, error ?? message)
  return {
    state: withTalk(state, { taken, refused: [...talk.refused, number] }),
    events: [{ kind: 'warning_given', message }],
  }
}

/** Pi has come to rest: nothing follows by itself. */
function settle(state: Translation, talk: Talk, pending: number): Translated {
  const { queued, ended, kicks = 0 } = talk
  if (ended?.trouble != null) return failTurn(state, ended.trouble)
  if (pending > 0 && kicks < MOST_KICKS) {
    return {
      state: withTalk(state, { ended: null, isStuck: true, kicks: kicks + 1 }),
      events: [],
    }
  }
  const numbers = queued.map(({ number }) => number)
  const warning = (number: number): AgentEvent => ({
    kind: 'warning_given',
    message: `Pi has taken message ${number}, and does not show that its model was told (an extension may have changed it)`,
  })
  return {
    state: hear(withTalk(state, { ended: null, queued: [] }), numbers),
    events: numbers.map(warning),
  }
}
