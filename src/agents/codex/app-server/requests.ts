/**
 * What Codex asks of us: as it is kept, as a question for people, and as it is answered. Only a task
 * that is to ask passes a question on; in any other whatever is asked lies beyond its permissions.
 */
import type { AgentEvent } from '../../../domain/agent-events.ts'
import type { Question } from '../../../domain/question.ts'
import { askForm, fieldsOf, fillIn, fold } from '../../forms.ts'
import { METHOD_NOT_FOUND, nameOf, type Reply, type RequestId } from '../../json-rpc.ts'
import { lookUp } from '../../look-up.ts'
import type { Brief } from './brief.ts'
import { INTERRUPTED, type InputQuestion, type OpenRequest, type Own } from './state.ts'
import { parseCommandApproval, parseEditApproval, parseElicitation, parseInput } from './wire.ts'

type Approval = Extract<OpenRequest, { kind: 'command' | 'edit' }>

/** Requests are stored at every look, and read by people. */
const TEXT_KEPT = 2_000
const QUESTIONS_KEPT = 20

const DECISIONS = [
  { id: 'accept', label: 'Allow' },
  { id: 'decline', label: 'Refuse' },
] as const

export function openRequest(
  request: { readonly id: RequestId; readonly method: string; readonly params: unknown },
  edits: Own['edits'],
): OpenRequest {
  const { id, method, params } = request
  const base = { id, name: nameOf(id), isResolved: false }
  switch (method) {
    case 'item/commandExecution/requestApproval': {
      const asked = parseCommandApproval(params)
      const action = asked?.command ?? 'run something that it does not name'
      return { ...base, kind: 'command', ...about(asked), action: action.slice(0, TEXT_KEPT) }
    }
    case 'item/fileChange/requestApproval': {
      const asked = parseEditApproval(params)
      const action = lookUp(edits, asked?.itemId) ?? 'change files that it does not name'
      return { ...base, kind: 'edit', ...about(asked), action }
    }
    case 'item/tool/requestUserInput': {
      const questions = parseInput(params)?.slice(0, QUESTIONS_KEPT).map(readQuestion)
      return questions?.length
        ? { ...base, kind: 'input', questions }
        : { ...base, kind: 'unsupported', method }
    }
    case 'mcpServer/elicitation/request': {
      const asked = parseElicitation(params)
      const words = [asked?.serverName, asked?.message].filter(Boolean).join(': ')
      const text = words.slice(0, TEXT_KEPT) || 'it asks for an answer'
      if (asked?.url) {
        return { ...base, kind: 'visit', text: `${text} ${asked.url.slice(0, TEXT_KEPT)}` }
      }
      return { ...base, kind: 'form', text, fields: fieldsOf(asked?.requestedSchema) }
    }
    case 'item/permissions/requestApproval':
      return { ...base, kind: 'permissions' }
    default:
      return { ...base, kind: 'unsupported', method }
  }
}

function about(asked: ReturnType<typeof parseEditApproval>) {
  return { item: asked?.itemId ?? null, reason: asked?.reason?.slice(0, TEXT_KEPT) ?? null }
}

function readQuestion(wire: NonNullable<ReturnType<typeof parseInput>>[number]): InputQuestion {
  return {
    id: wire.id,
    text: (wire.question ?? '').slice(0, TEXT_KEPT),
    labels: (wire.options ?? []).slice(0, QUESTIONS_KEPT).map(({ label }) => label),
  }
}

/** Undefined: it is nothing that a person could answer, or nobody waits for that any more. */
export function questionOf(request: OpenRequest): Question | undefined {
  const { name: id, isResolved } = request
  if (isResolved) return undefined
  switch (request.kind) {
    case 'command':
    case 'edit': {
      const { action, reason } = request
      return { id, text: reason === null ? action : `${action}\n${reason}`, options: DECISIONS }
    }
    case 'visit':
      return { id, text: request.text, options: DECISIONS }
    case 'form':
      return { id, ...askForm(request.text, request.fields) }
    case 'input': {
      const [only, more] = request.questions
      if (only !== undefined && more === undefined) {
        return { id, text: only.text, options: only.labels.map(label => ({ id: label, label })) }
      }
      const texts = request.questions.map(({ id, text }) => `${id}: ${text}`).join('\n')
      return { id, text: `${texts} [as JSON, by these names]`, options: [] }
    }
    case 'permissions':
    case 'unsupported':
      return undefined
  }
}

/** Undefined: it is for people, and nobody has said anything that answers it. */
export function replyTo(
  request: OpenRequest,
  answer: string | undefined,
  { asks, permissions }: Pick<Brief, 'asks' | 'permissions'>,
): Reply | undefined {
  // More permissions than it has are for whoever hands a task in, and not for its agent to ask for.
  const isForPeople = request.kind !== 'unsupported' && request.kind !== 'permissions'
  if (!asks || !isForPeople) {
    const why = `the task has ${permissions} permissions`
    return decline(request, why)
  }
  return answer === undefined ? undefined : answerWith(request, answer)
}

/** What the turn's end leaves of a question. */
export function cancelReply(request: OpenRequest): Reply {
  return { ...decline(request, INTERRUPTED), events: [] }
}

function decline(request: OpenRequest, why: string): Reply {
  const refuse = (result: object, action: string): Reply => ({
    body: { result },
    events: [{ kind: 'action_refused', action, why }],
  })
  switch (request.kind) {
    case 'command':
    case 'edit':
      return refuse({ decision: 'decline' }, request.action)
    case 'form':
    case 'visit':
      return refuse({ action: 'decline', content: null, _meta: null }, request.text)
    case 'permissions':
      return refuse({ permissions: {}, scope: 'turn' }, 'have more permissions')
    case 'input':
      return { body: { result: { answers: {} } }, events: [] }
    case 'unsupported': {
      const message = `not supported: ${request.method}`
      return { body: { error: { code: METHOD_NOT_FOUND, message } }, events: [] }
    }
  }
}

/** Whether words answer it, of which a question for people was made. */
export function takesAnswer(request: OpenRequest, answer: string): boolean {
  if (request.kind === 'unsupported' || request.kind === 'permissions') return false
  return answerWith(request, answer) !== undefined
}

type ForPeople = Exclude<OpenRequest, { kind: 'unsupported' | 'permissions' }>

function answerWith(request: ForPeople, answer: string): Reply | undefined {
  switch (request.kind) {
    case 'command':
    case 'edit':
      return decide(request, answer)
    case 'visit': {
      const decision = decisionOf(answer)
      const result = { action: decision, content: null, _meta: null }
      return decision && { body: { result }, events: [] }
    }
    case 'form': {
      const content = fillIn(request.fields, answer)
      const result = { action: 'accept', content, _meta: null }
      return content && { body: { result }, events: [] }
    }
    case 'input': {
      const answers = answersTo(request.questions, answer)
      return answers && { body: { result: { answers } }, events: [] }
    }
  }
}

function decisionOf(answer: string): 'accept' | 'decline' | undefined {
  const words = fold(answer)
  return DECISIONS.find(({ id, label }) => [id, fold(label)].includes(words))?.id
}

function decide({ action }: Approval, answer: string): Reply | undefined {
  const decision = decisionOf(answer)
  if (decision === undefined) return undefined
  const refused: AgentEvent = { kind: 'action_refused', action, why: 'Refuse' }
  return { body: { result: { decision } }, events: decision === 'decline' ? [refused] : [] }
}

/** Undefined: it is no answer to these. */
function answersTo(questions: readonly InputQuestion[], answer: string) {
  const fields = questions.map(({ id, labels }) => ({
    ...{ name: id, type: 'string', values: questions.length === 1 ? labels : [] },
  }))
  const filled = fillIn(fields, answer)
  if (filled === undefined) return undefined
  const entries = Object.entries(filled).map(([id, value]) => [id, { answers: [String(value)] }])
  return Object.fromEntries(entries)
}
