/**
 * Our side of `pi --mode rpc`: which session it is, the prompt, and whatever is said since; between
 * them the answers to what extensions ask. Pure.
 */
import { messageKey } from '../../domain/message.ts'
import { answerKey } from '../../domain/question.ts'
import type { Dialogue, DialogueWishes, Translation, Utterance } from '../../ports/agent.ts'
import { type Brief, parseBrief } from './brief.ts'
import {
  ABORT,
  abort,
  againKey,
  answer,
  askState,
  keyOfLine,
  kick,
  kickKey,
  PROMPT,
  STATE,
  sayMessage,
  sayPrompt,
} from './commands.ts'
import { cancelReply, replyTo } from './requests.ts'
import { findSettleKey, memoryOf, NEW_TALK, type Talk } from './state.ts'

export const piDialogue: Dialogue = {
  speak(state, text, said, wishes) {
    if (state.turn?.ok === false) return []
    const brief = parseBrief(text)
    const talk = memoryOf(state).talk ?? NEW_TALK
    const answers = answerAll(talk, brief, said, wishes)
    if (!wishes.interrupt) return [...answers, ...next(state, talk, brief, said, wishes)]
    // What was not begun is not begun any more.
    if (!said.has(PROMPT) || said.has(ABORT) || state.turn !== null) return answers
    return [{ key: ABORT, line: abort() }, ...answers]
  },
  takesAnswer(state, question, words) {
    const { requests } = memoryOf(state).talk ?? NEW_TALK
    return requests.some(request => request.id === question && replyTo(request, words))
  },
  saysMessages: true,
  interruptKey: ABORT,
  keyOf: keyOfLine,
}

function answerAll(
  { requests }: Talk,
  { asks }: Brief,
  said: ReadonlySet<string>,
  { answers, interrupt }: DialogueWishes,
): readonly Utterance[] {
  return requests.flatMap((request): Utterance[] => {
    const { id } = request
    const key = answerKey(id)
    if (said.has(key)) return []
    const words = answers.get(id)
    const given = words === undefined ? undefined : replyTo(request, words)
    const reply =
      interrupt || !asks
        ? cancelReply(request, interrupt ? null : 'the task asks nobody (--ask)')
        : given
    return reply === undefined ? [] : [{ key, line: answer(id, reply.body), events: reply.events }]
  })
}

function next(
  state: Translation,
  talk: Talk,
  { prompt }: Brief,
  said: ReadonlySet<string>,
  { messages }: DialogueWishes,
): readonly Utterance[] {
  const { session, turn } = state
  const once = (key: string, line: string) => (said.has(key) ? [] : [{ key, line }])
  if (session === null) return once(STATE, askState(STATE))
  if (!talk.isBegun) return once(PROMPT, sayPrompt(prompt))
  if (talk.waitsFor !== null) return []
  const settle = findSettleKey(state, talk)
  if (settle !== undefined && !said.has(settle)) return once(settle, askState(settle))
  // What becomes of the run is to be heard first.
  if (talk.ended !== null) return []
  if (talk.isStuck) return once(kickKey(talk.ends), kick(kickKey(talk.ends)))
  // One after the other: what comes while Pi is about to begin a run would be dropped.
  const isOwed = ({ number }: { readonly number: number }) =>
    said.has(messageKey(number)) && !talk.taken.includes(number)
  if (messages.some(isOwed)) return []
  for (const { number, text } of messages) {
    const again = againKey(number)
    if (!said.has(messageKey(number))) return [say(messageKey(number), text)]
    if (!talk.refused.includes(number) || turn === null) continue
    return said.has(again) ? [] : [say(again, text)]
  }
  return []
}

const say = (key: string, text: string): Utterance => ({ key, line: sayMessage(key, text) })
