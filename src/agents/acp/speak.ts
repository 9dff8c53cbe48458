/**
 * Our side of the protocol: initialize, a session, what is to be set in it, the prompt, and after its
 * turn whatever was said since, as the next one; between them the answers to whatever the agent asks.
 * One request at a time, each once. Pure.
 */
import { type Message, messageKey } from '../../domain/message.ts'
import { answerKey } from '../../domain/question.ts'
import type { Dialogue, DialogueWishes, Translation, Utterance } from '../../ports/agent.ts'
import { writeLine } from '../json-line.ts'
import { nameOf, parseMessage, type RequestId } from '../json-rpc.ts'
import { plainWords } from '../plain-words.ts'
import { type Brief, parseBrief } from './brief.ts'
import { cancelReply, replyTo, takesAnswer } from './requests.ts'
import {
  MARK,
  markId,
  markKey,
  messageId,
  messageOfId,
  messageOfMark,
  type Own,
  ownOf,
  REQUESTS,
  type RequestName,
} from './state.ts'

/** The agent keeps to itself: it reads and writes files, and runs its tools, with its own means. */
const CLIENT = {
  protocolVersion: 1,
  clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
  clientInfo: { name: 'holdfast', title: 'Holdfast', version: '1' },
}

const CANCEL = 'session/cancel'

export const acpDialogue: Dialogue = {
  speak(state, text, said, wishes) {
    if (state.turn?.ok === false) return []
    const brief = parseBrief(text)
    const own = ownOf(state)
    // Where we died while we said the next prompt, its mark was answered, and it is still owed.
    const isOwed = own.told !== undefined && !said.has(messageKey(own.told))
    if (state.turn !== null || isOwed) {
      const sessionId = sessionOf(state, own, brief)
      return wishes.interrupt || sessionId === null ? [] : tell(sessionId, said, wishes.messages)
    }
    const answers = answerAll(own, brief, said, wishes)
    if (!wishes.interrupt) return [...answers, ...ask(state, own, brief, said)]
    // What was not begun is not begun any more.
    const sessionId = sessionOf(state, own, brief)
    if (!said.has('prompt') || said.has(CANCEL) || sessionId === null) return answers
    return [{ key: CANCEL, line: write({ method: CANCEL, params: { sessionId } }) }, ...answers]
  },

  takesAnswer: (state, question, words) =>
    ownOf(state).requests.some(request => request.name === question && takesAnswer(request, words)),

  saysMessages: true,
  waitsForEnd: true,
  interruptKey: CANCEL,

  keyOf(line) {
    const message = parseMessage(line)
    switch (message.kind) {
      case 'request':
        return keyOfRequest(message.id)
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

function keyOfRequest(id: RequestId): string | undefined {
  const [message, mark] = [messageOfId(id), messageOfMark(id)]
  if (message !== undefined) return messageKey(message)
  if (mark !== undefined) return markKey(mark)
  return (Object.keys(REQUESTS) as RequestName[]).find(name => REQUESTS[name] === id)
}

/** All that is unheard as one prompt, once the one before it is. */
function tell(
  sessionId: string,
  said: ReadonlySet<string>,
  messages: readonly Message[],
): readonly Utterance[] {
  const isSaid = ({ number }: Message) => said.has(messageKey(number))
  const isMarked = ({ number }: Message) => said.has(markKey(number))
  const last = messages.findLast(isSaid) ?? messages.findLast(isMarked) ?? messages.at(-1)
  if (last === undefined || isSaid(last)) return []
  const { number } = last
  const told = messages.filter(one => one.number <= number)
  const text = plainWords(told.map(one => one.text).join('\n\n'))
  const params = { sessionId, prompt: [{ type: 'text', text }] }
  const mark = write({ id: markId(number), method: MARK, params: { sessionId } })
  return [
    ...(said.has(markKey(number)) ? [] : [{ key: markKey(number), line: mark }]),
    {
      key: messageKey(number),
      line: write({ id: messageId(number), method: 'session/prompt', params }),
      events: [{ kind: 'turn_started' }],
    },
  ]
}

function write(message: object): string {
  return writeLine({ jsonrpc: '2.0', ...message })
}

function answerAll(
  own: Own,
  brief: Brief,
  said: ReadonlySet<string>,
  { answers, interrupt }: DialogueWishes,
): readonly Utterance[] {
  return own.requests.flatMap((request): Utterance[] => {
    const key = answerKey(request.name)
    if (said.has(key)) return []
    const reply = interrupt
      ? cancelReply(request)
      : replyTo(request, answers.get(request.name), brief)
    if (reply === undefined) return []
    return [{ key, line: write({ id: request.id, ...reply.body }), events: reply.events }]
  })
}

/** The next request that is due, unless the agent owes us the answer to the one before. */
function ask(
  state: Translation,
  own: Own,
  brief: Brief,
  said: ReadonlySet<string>,
): readonly Utterance[] {
  for (const [name, method, params] of plan(state, own, brief)) {
    if (!said.has(name)) {
      const line = write({ id: REQUESTS[name], method, params })
      return [
        name === 'prompt' ? { key: name, line, events: begin(own, brief) } : { key: name, line },
      ]
    }
    if (!own.answered.includes(name)) return []
  }
  return []
}

type Request = readonly [name: RequestName, method: string, params: object]

/** All that is asked, in its order, as far as what was heard tells. */
function plan(state: Translation, own: Own, brief: Brief): readonly Request[] {
  const requests: Request[] = [['initialize', 'initialize', CLIENT]]
  if (own.greeting === null) return requests
  const { login } = brief
  if (login !== null && own.greeting.logins.includes(login)) {
    requests.push(['authenticate', 'authenticate', { methodId: login }])
  }
  requests.push(['session', ...openSession(own, brief)])
  const sessionId = sessionOf(state, own, brief)
  if (own.opened === null || sessionId === null) return requests
  requests.push(...settle(own.opened, brief, sessionId))
  const text = goesOn(own, brief)?.prompt ?? brief.prompt
  requests.push(['prompt', 'session/prompt', { sessionId, prompt: [{ type: 'text', text }] }])
  return requests
}

/** The session that goes on. An agent that cannot go on with one begins anew, and is told the whole. */
function goesOn(own: Own, { resume }: Brief): Brief['resume'] {
  return own.greeting?.canLoad || own.greeting?.canResume ? resume : null
}

function sessionOf(state: Translation, own: Own, brief: Brief): string | null {
  return goesOn(own, brief)?.session ?? state.session
}

function openSession(own: Own, brief: Brief): readonly [method: string, params: object] {
  const where = { cwd: brief.directory, mcpServers: [] }
  const session = goesOn(own, brief)?.session
  if (session === undefined) return ['session/new', where]
  // Both are kept by some; the one that all of them were tried with comes first.
  const method = own.greeting?.canLoad ? 'session/load' : 'session/resume'
  return [method, { sessionId: session, ...where }]
}

/** What is to be chosen for the session before it hears the prompt. */
function settle(
  { modes, options }: NonNullable<Own['opened']>,
  brief: Brief,
  sessionId: string,
): readonly Request[] {
  const requests: Request[] = []
  const setOption = (configId: string, value: string) => ({ sessionId, configId, value })
  const { mode, model, effort, asks, isConfined } = brief
  // Where it depends on that who holds it to its permissions, or whether it asks, it is for the
  // agent to say that it has no such mode; one that knows no modes at all may ask nevertheless.
  const isNeeded = isConfined || (asks && modes.length > 0)
  if (mode !== null && (isNeeded || modes.includes(mode))) {
    const name = isNeeded ? 'neededMode' : 'mode'
    requests.push([name, 'session/set_mode', { sessionId, modeId: mode }])
  }
  if (model !== null) {
    requests.push(
      options.model === undefined
        ? ['model', 'session/set_model', { sessionId, modelId: model }]
        : ['model', 'session/set_config_option', setOption(options.model, model)],
    )
  }
  if (effort !== null && options.thought_level !== undefined) {
    const params = setOption(options.thought_level, effort)
    requests.push(['effort', 'session/set_config_option', params])
  }
  return requests
}

function begin(own: Own, { effort }: Brief): NonNullable<Utterance['events']> {
  const isIgnored = effort !== null && own.opened?.options.thought_level === undefined
  const message = 'this agent lets nobody choose its effort: it was left as it is'
  const warning = { kind: 'warning_given', message } as const
  return isIgnored ? [{ kind: 'turn_started' }, warning] : [{ kind: 'turn_started' }]
}
