/**
 * What an agent asks of us: as it is kept, as a question for people, and as it is answered. What
 * the task's permissions say is answered at once; whatever they do not is for people.
 */
import type { AgentEvent } from '../../domain/agent-events.ts'
import type { PermissionMode } from '../../domain/permissions.ts'
import type { Question } from '../../domain/question.ts'
import { askForm, fieldsOf, fillIn, fold } from '../forms.ts'
import { METHOD_NOT_FOUND, nameOf, type Reply, type RequestId } from '../json-rpc.ts'
import type { Choice, OpenRequest } from './state.ts'
import { describeCall, mergeCall } from './tools.ts'
import { parseForm, parsePermission } from './wire.ts'

type Permission = Extract<OpenRequest, { kind: 'permission' }>
type Form = Extract<OpenRequest, { kind: 'form' }>

/** What the task may do. */
interface Policy {
  readonly asks: boolean
  readonly permissions: PermissionMode
  /** It is the agent that holds itself to that: it asks for nothing but what lies beyond. */
  readonly isConfined: boolean
}

/** Requests are stored at every look, and read by people. */
const TEXT_KEPT = 2_000
const OPTIONS_KEPT = 20

export function openRequest(request: {
  readonly id: RequestId
  readonly method: string
  readonly params: unknown
}): OpenRequest {
  const { id, method, params } = request
  const name = nameOf(id)
  if (method === 'session/request_permission') {
    const wire = parsePermission(params)
    const call = wire?.toolCall && mergeCall(undefined, wire.toolCall)
    const action = call === undefined ? '' : describeCall(call).slice(0, TEXT_KEPT)
    return {
      ...{ id, name, kind: 'permission' },
      action: action || 'something that it does not name',
      tool: wire?.toolCall?.kind ?? null,
      call: wire?.toolCall?.toolCallId ?? null,
      options: (wire?.options ?? []).slice(0, OPTIONS_KEPT).map(option => ({
        id: option.optionId,
        name: option.name ?? option.optionId,
        kind: option.kind ?? '',
      })),
    }
  }
  const form = method === 'elicitation/create' ? parseForm(params) : undefined
  if (form === undefined) return { id, name, kind: 'unsupported', method }
  return {
    ...{ id, name, kind: 'form' },
    text: (form.message ?? '').slice(0, TEXT_KEPT) || 'it asks for an answer',
    fields: fieldsOf(form.requestedSchema),
  }
}

/** Undefined: it is nothing that a person could answer. */
export function questionOf(request: OpenRequest): Question | undefined {
  switch (request.kind) {
    case 'permission': {
      const { name: id, tool, action, options } = request
      if (options.length === 0) return undefined
      const text = tool === null || tool === 'other' ? action : `${tool}: ${action}`
      return { id, text, options: options.map(({ id, name }) => ({ id, label: name })) }
    }
    case 'form':
      return { id: request.name, ...askForm(request.text, request.fields) }
    case 'unsupported':
      return undefined
  }
}

/** What the turn's end leaves of a question. */
export function cancelReply(request: OpenRequest): Reply {
  switch (request.kind) {
    case 'permission':
      return { body: { result: { outcome: { outcome: 'cancelled' } } }, events: [] }
    case 'form':
      return { body: { result: { action: 'cancel' } }, events: [] }
    case 'unsupported':
      return unsupportedReply(request.method)
  }
}

/** Undefined: nobody has said anything that answers it. */
export function replyTo(
  request: OpenRequest,
  answer: string | undefined,
  policy: Policy,
): Reply | undefined {
  if (request.kind === 'unsupported') return unsupportedReply(request.method)
  // Nobody could answer it.
  if (request.kind === 'permission' && request.options.length === 0) return cancelReply(request)
  if (answer !== undefined) return answerWith(request, answer)
  return request.kind === 'form' || policy.asks ? undefined : decide(request, policy)
}

/** Whether words answer it, of which a question for people was made. */
export function takesAnswer(request: OpenRequest, answer: string): boolean {
  return request.kind !== 'unsupported' && answerWith(request, answer) !== undefined
}

function answerWith(request: Permission | Form, answer: string): Reply | undefined {
  return request.kind === 'permission' ? choose(request, answer) : answerForm(request, answer)
}

function unsupportedReply(method: string): Reply {
  return {
    body: { error: { code: METHOD_NOT_FOUND, message: `not supported: ${method}` } },
    events: [],
  }
}

/** Tools that change nothing. */
const READING: readonly string[] = ['read', 'search', 'fetch', 'think']

/**
 * Whether a task may do it. By the kind of tool that the agent says it is, for what that is worth:
 * the system's confinement around the agent holds in any case. Within an agent's own confinement
 * whatever is allowed would hold no more.
 */
function decide(request: Permission, { permissions, isConfined }: Policy): Reply | undefined {
  // What the mode of the session is to be is no step of the work.
  if (request.tool === 'switch_mode') return undefined
  const isReading = READING.includes(request.tool ?? '')
  const allowed =
    permissions === 'full' || (!isConfined && (permissions === 'workspace' || isReading))
  // Never for always, if it can be helped: some agents write that into the user's settings.
  const kinds = allowed ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always']
  const option = kinds.flatMap(kind => request.options.filter(one => one.kind === kind))[0]
  if (option === undefined) return undefined
  const why = `the task has ${permissions} permissions`
  return select(option, allowed ? [] : [{ kind: 'action_refused', action: request.action, why }])
}

function choose({ action, options }: Permission, answer: string): Reply | undefined {
  const words = fold(answer)
  const option =
    options.find(({ id }) => id === answer) ??
    options.find(({ id, name }) => [id, name].map(fold).includes(words))
  if (option === undefined) return undefined
  const refused: AgentEvent = { kind: 'action_refused', action, why: option.name }
  return select(option, option.kind.startsWith('reject') ? [refused] : [])
}

function select({ id }: Choice, events: readonly AgentEvent[]): Reply {
  return { body: { result: { outcome: { outcome: 'selected', optionId: id } } }, events }
}

function answerForm({ fields }: Form, answer: string): Reply | undefined {
  if (fields.length === 0) return { body: { result: { action: 'accept' } }, events: [] }
  const content = fillIn(fields, answer)
  return content && { body: { result: { action: 'accept', content } }, events: [] }
}
