/**
 * Our side of the app-server's protocol: a greeting, a thread, the prompt; between them answers to
 * what Codex asks, and what was said to the task meanwhile. Each request bears its key as its id, and
 * is made once. Pure.
 */
import { type Message, messageKey } from '../../../domain/message.ts'
import { answerKey } from '../../../domain/question.ts'
import type { Dialogue, DialogueWishes, Translation, Utterance } from '../../../ports/agent.ts'
import { nameOf, parseMessage } from '../../json-rpc.ts'
import { SANDBOXES } from '../sandboxes.ts'
import { type Brief, parseBrief } from './brief.ts'
import { cancelReply, replyTo, takesAnswer } from './requests.ts'
import { type Own, ownOf } from './state.ts'

export const INITIALIZE = 'initialize'
export const THREAD = 'thread'
export const TURN = 'turn'
const INTERRUPT = 'interrupt'
const INITIALIZED = 'initialized'

/**
 * What Codex would tell piece by piece, and tells again as a whole; and what is of no step of the
 * work. A stream of it is as long as the work, and not as the words.
 */
const UNHEARD = [
  'item/agentMessage/delta',
  'item/plan/delta',
  'item/reasoning/summaryTextDelta',
  'item/reasoning/summaryPartAdded',
  'item/reasoning/textDelta',
  'item/commandExecution/outputDelta',
  'item/commandExecution/terminalInteraction',
  'item/fileChange/outputDelta',
  'item/fileChange/patchUpdated',
  'item/mcpToolCall/progress',
  'turn/diff/updated',
  'turn/plan/updated',
  'thread/status/changed',
  'thread/settings/updated',
  'remoteControl/status/changed',
  'mcpServer/startupStatus/updated',
  'skills/changed',
  'app/list/updated',
]

const CLIENT = {
  clientInfo: { name: 'holdfast', title: 'Holdfast', version: '1' },
  capabilities: {
    experimentalApi: false,
    requestAttestation: false,
    optOutNotificationMethods: UNHEARD,
  },
}

export const codexDialogue: Dialogue = {
  speak(state, text, said, wishes) {
    if (state.turn?.ok === false) return []
    const brief = parseBrief(text)
    const own = ownOf(state)
    const answers = answerAll(own, brief, wishes)
    const more = wishes.interrupt
      ? interrupt(state, own)
      : (begin(state, own, brief) ?? passOn(state, own, brief, wishes))
    return [...more, ...answers].filter(({ key }) => !said.has(key))
  },

  takesAnswer: (state, question, words) =>
    ownOf(state).requests.some(asked => asked.name === question && takesAnswer(asked, words)),

  saysMessages: true,
  interruptKey: INTERRUPT,
  goesOn: state => ownOf(state).hasGoal,

  keyOf(line) {
    const message = parseMessage(line)
    switch (message.kind) {
      case 'request':
        return String(message.id)
      case 'notification':
        return message.method
      case 'result':
      case 'error':
        return answerKey(nameOf(message.id))
      case 'malformed':
        return undefined
    }
  },
}

const request = (key: string, method: string, params: object): Utterance => ({
  key,
  line: JSON.stringify({ id: key, method, params }),
})

/** What was not begun is not begun any more; and what has no name yet cannot be interrupted. */
function interrupt({ session, turn }: Translation, { turnId }: Own): readonly Utterance[] {
  if (session === null || turnId === null || turn !== null) return []
  return [request(INTERRUPT, 'turn/interrupt', { threadId: session, turnId })]
}

function answerAll(
  own: Own,
  brief: Brief,
  { answers, interrupt }: DialogueWishes,
): readonly Utterance[] {
  return own.requests.flatMap((asked): Utterance[] => {
    if (asked.isResolved) return []
    const reply = interrupt ? cancelReply(asked) : replyTo(asked, answers.get(asked.name), brief)
    if (reply === undefined) return []
    const line = JSON.stringify({ id: asked.id, ...reply.body })
    return [{ key: answerKey(asked.name), line, events: reply.events }]
  })
}

/** What comes before the turn, and the prompt itself; undefined: all of it was said, and answered. */
function begin(state: Translation, own: Own, brief: Brief): readonly Utterance[] | undefined {
  if (!own.isGreeted) return [request(INITIALIZE, 'initialize', CLIENT)]
  if (!own.isOpened || state.session === null) {
    const line = JSON.stringify({ method: INITIALIZED })
    return [{ key: INITIALIZED, line }, openThread(brief)]
  }
  if (own.turnId !== null) return undefined
  return [startTurn(TURN, state.session, brief, brief.prompt, { effort: brief.effort })]
}

/**
 * A thread that begins stands where the process does, and has its permissions (`-c`): they are not
 * named here, because Codex writes down in the user's settings that it trusts a directory that a
 * thread is begun in by name. One that goes on has those of its start unless others are named, though
 * the process has others (both seen with 0.169.0).
 */
function openThread({ session, model, asks, directory, sandbox }: Brief): Utterance {
  const wishes = {
    ...(model !== null && { model }),
    // The settings do not take this one any more, and the protocol does (0.169.0).
    ...(asks && { approvalPolicy: 'untrusted', approvalsReviewer: 'user' }),
  }
  if (session === null) return request(THREAD, 'thread/start', wishes)
  return request(THREAD, 'thread/resume', {
    threadId: session,
    // What was said and done in it before was told by others.
    excludeTurns: true,
    cwd: directory,
    sandbox: SANDBOXES[sandbox],
    approvalPolicy: 'never',
    ...wishes,
  })
}

function startTurn(
  key: string,
  threadId: string,
  { outputSchema }: Brief,
  text: string,
  { effort, name = key }: { readonly effort: string | null; readonly name?: string },
): Utterance {
  return request(key, 'turn/start', {
    threadId,
    // Said back with the words, once they are where the model reads them.
    clientUserMessageId: name,
    input: [{ type: 'text', text, text_elements: [] }],
    ...(effort !== null && { effort }),
    ...(outputSchema !== null && { outputSchema }),
  })
}

/** A turn that is at work takes in what a turn is begun with; one that is over is followed by one. */
function passOn(
  state: Translation,
  own: Own,
  brief: Brief,
  { messages }: DialogueWishes,
): readonly Utterance[] {
  const { session } = state
  if (session === null) return []
  return messages.flatMap(({ number, text }: Message): Utterance[] => {
    const refusals = own.refusals[number] ?? 0
    // The turn that refused it has to be over first.
    if (refusals > 0 && state.turn === null) return []
    const name = messageKey(number)
    const key = refusals === 0 ? name : `${name}/${refusals}`
    return [startTurn(key, session, brief, text, { effort: null, name })]
  })
}
