/**
 * Our side of the dialogue: the prompt, answers to what it asks, messages, and the interruption. A
 * message that comes while a tool runs is read with the tool's result; any other begins the next turn.
 */
import { messageKey } from '../../../domain/message.ts'
import { answerKey } from '../../../domain/question.ts'
import type { Dialogue, Utterance } from '../../../ports/agent.ts'
import { plainWords } from '../../plain-words.ts'
import { ownState } from '../state.ts'
import { parseBrief } from './brief.ts'
import { messageId, parseMessageId, ROUNDS } from './message-id.ts'
import { cancelReply, replyTo } from './requests.ts'
import { type Talk, talkOf } from './state.ts'
import { parseUtterance } from './wire.ts'

const PROMPT = 'prompt'
const INTERRUPT = 'interrupt'

export const claudeDialogue: Dialogue = {
  speak(state, text, said, { messages, answers, interrupt }) {
    // After a failed turn it is stopped.
    if (state.turn?.ok === false) return []
    const { session, prompt, asks } = parseBrief(text)
    const { requests, refused } = talkOf(state)
    const due: Utterance[] = requests.flatMap(request => {
      const reply = interrupt
        ? cancelReply(request)
        : replyTo(request, answers.get(request.id), asks)
      if (reply === undefined) return []
      const response = { request_id: request.id, ...reply }
      return [{ key: answerKey(request.id), line: write({ type: 'control_response', response }) }]
    })
    if (interrupt) {
      // What was not begun is not begun any more, and what waits in its queue neither.
      const isAtWork = said.has(PROMPT) && state.turn === null
      if (isAtWork) due.unshift({ key: INTERRUPT, line: write(INTERRUPTION) })
    } else {
      due.push({ key: PROMPT, line: writeUser(prompt) })
      for (const message of messages) {
        if (isLeft(talkOf(state), message.number)) continue
        const round = refused[message.number] ?? 0
        const uuid = messageId(message, session, round)
        due.push({ key: keyOfMessage(message.number, round), line: writeUser(message.text, uuid) })
      }
    }
    return due.filter(({ key }) => !said.has(key))
  },

  takesAnswer: (state, question, words) =>
    talkOf(state).requests.some(
      request => request.id === question && replyTo(request, words, true) !== undefined,
    ),

  saysMessages: true,
  leaves: (state, { number }) => isLeft(talkOf(state), number),
  interruptKey: INTERRUPT,

  keyOf(line) {
    const parsed = parseUtterance(line)
    switch (parsed?.type) {
      case 'user': {
        const { number, round = 0 } = parseMessageId(parsed.uuid ?? '') ?? {}
        return number === undefined ? PROMPT : keyOfMessage(number, round)
      }
      case 'control_request':
        return parsed.request.subtype
      case 'control_response':
        return answerKey(parsed.response.request_id)
      case undefined:
        return undefined
    }
  },

  // Of a version that does not say whether it is at work, what runs in the background tells.
  goesOn: state => ownState(state).background > 0 || talkOf(state).isBusy === true,
}

const isLeft = ({ refused }: Talk, number: number) => (refused[number] ?? 0) >= ROUNDS

const INTERRUPTION = {
  type: 'control_request',
  request_id: INTERRUPT,
  request: { subtype: INTERRUPT, cancel_queued: true },
}

const keyOfMessage = (number: number, round: number) =>
  round === 0 ? messageKey(number) : `${messageKey(number)}/${round}`

function writeUser(text: string, uuid?: string): string {
  const content = [{ type: 'text', text: plainWords(text) }]
  const message = { role: 'user', content }
  return write({ type: 'user', message, parent_tool_use_id: null, ...(uuid && { uuid }) })
}

const write = (line: object): string => JSON.stringify(line)
