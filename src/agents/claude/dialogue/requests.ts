/**
 * What Claude Code asks of us: as it is kept, as a question for people, and as it is answered. Without
 * `--ask` it is not told that anybody could be asked, and what it asks all the same is refused.
 */
import type { Question } from '../../../domain/question.ts'
import { summarize } from '../tools.ts'
import type { OpenRequest } from './state.ts'
import { parseUserQuestions, type WireControlRequest } from './wire.ts'

const ASKING_TOOL = 'AskUserQuestion'

/** Requests are stored at every look, and read by people. */
const TEXT_KEPT = 2_000
/** What is to be given back whole is kept whole, or not at all. */
const INPUT_KEPT = 16_000

const ALLOW = { id: 'allow', label: 'Allow' }
const DENY = { id: 'deny', label: 'Deny' }

export function openRequest({ request_id: id, request }: WireControlRequest): OpenRequest {
  const { subtype, tool_name = 'a tool', input, tool_use_id: call = null } = request
  if (subtype !== 'can_use_tool') return { id, kind: 'unsupported', subtype }
  const wire = tool_name === ASKING_TOOL ? parseUserQuestions(input) : undefined
  if (wire !== undefined && JSON.stringify(input).length <= INPUT_KEPT) {
    const questions = wire.questions.map(({ question, multiSelect, options }) => ({
      text: question.slice(0, TEXT_KEPT),
      labels: options.map(({ label }) => label),
      isMultiple: multiSelect === true,
    }))
    return { id, kind: 'choice', call, input: input as object, questions }
  }
  const action = `${tool_name}: ${summarize(input)}`.slice(0, TEXT_KEPT)
  const why = request.decision_reason?.slice(0, TEXT_KEPT) ?? null
  return { id, kind: 'permission', action, why, call }
}

/** Undefined: it is nothing that a person could answer. */
export function questionOf(request: OpenRequest): Question | undefined {
  const { id, kind } = request
  if (kind === 'unsupported') return undefined
  if (kind === 'permission') {
    const { action, why } = request
    return { id, text: why === null ? action : `${action} (${why})`, options: [ALLOW, DENY] }
  }
  const [only, more] = request.questions
  if (only !== undefined && more === undefined && !only.isMultiple) {
    return { id, text: only.text, options: only.labels.map(label => ({ id: label, label })) }
  }
  const texts = request.questions.map(({ text, labels, isMultiple }) => {
    const of =
      labels.length === 0 ? '' : ` [${isMultiple ? 'any' : 'one'} of: ${labels.join(', ')}]`
    return `${text}${of}`
  })
  const how = more === undefined ? '' : '\n(a line for each answer)'
  return { id, text: `${texts.join('\n')}${how}`, options: [] }
}

/** What is said in return, as the `response` of a control response without its id. */
type Reply = { readonly subtype: 'success' | 'error' } & Record<string, unknown>

const deny = (message: string): Reply => ({
  subtype: 'success',
  response: { behavior: 'deny', message },
})

/** What is left to be said where the turn is stopped. */
export function cancelReply(request: OpenRequest): Reply {
  return request.kind === 'unsupported'
    ? unsupported(request.subtype)
    : deny('The task is stopped.')
}

/** Undefined: nobody has said anything that answers it. */
export function replyTo(
  request: OpenRequest,
  answer: string | undefined,
  asks: boolean,
): Reply | undefined {
  if (request.kind === 'unsupported') return unsupported(request.subtype)
  if (answer === undefined) return asks ? undefined : deny('Nobody is there to be asked for it.')
  if (request.kind === 'choice') return choose(request, answer)
  const words = answer.trim().toLowerCase()
  if (words === ALLOW.id) return { subtype: 'success', response: { behavior: 'allow' } }
  return words === DENY.id ? deny('Whoever started the task does not allow it.') : undefined
}

function unsupported(subtype: string): Reply {
  return { subtype: 'error', error: `not supported: ${subtype}` }
}

function choose(
  { input, questions }: Extract<OpenRequest, { kind: 'choice' }>,
  answer: string,
): Reply | undefined {
  const [only, more] = questions
  const given = more === undefined ? [answer.trim()] : answer.trim().split(/\s*\n\s*/)
  if (given.length !== questions.length || given.includes('')) return undefined
  // Of one question alone, the options are all that may be said; several are answered in words.
  const isClosed = only !== undefined && more === undefined && !only.isMultiple
  const labels = isClosed ? only.labels : []
  const words = given.map(
    said => labels.find(label => label.toLowerCase() === said.toLowerCase()) ?? said,
  )
  if (labels.length > 0 && !labels.includes(words[0] ?? '')) return undefined
  const answers = Object.fromEntries(questions.map(({ text }, n) => [text, words[n]]))
  return {
    subtype: 'success',
    response: { behavior: 'allow', updatedInput: { ...input, answers } },
  }
}
