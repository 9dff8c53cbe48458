/**
 * The OpenAI Responses protocol as Codex 0.80.0 to 0.169.0 speaks it with `wire_api = "responses"`:
 * POST `<base>/responses`, answered by server-sent events up to `response.completed`.
 */
import { contentText, listAt, textAt } from './fields.ts'
import {
  namedEvent as event,
  type Frames,
  type Heard,
  makeConversation,
  type Protocol,
  partsOf,
} from './protocol.ts'
import type { Conversation, Reply } from './script.ts'
import { shellCall } from './shell-tools.ts'

/** What every answer is said to have cost. */
const USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 40 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 5 },
  total_tokens: 120,
}

/** To wait on costs nothing: how often that is done is no part of a script. */
const NO_USAGE = {
  ...{ input_tokens: 0, input_tokens_details: { cached_tokens: 0 } },
  ...{ output_tokens: 0, output_tokens_details: { reasoning_tokens: 0 } },
  total_tokens: 0,
}
const WAITS_ON = 'write_stdin'
/** Codex waits for a command for 10 s, unless it is asked to for longer. */
const LEFT_RUNNING = /^Process running with session ID (\d+)$/m
const WAIT_MS = 300_000

export const responses: Protocol = {
  matches: path => path.endsWith('/responses'),
  readConversation,
  waitOn(body) {
    const [, session] = LEFT_RUNNING.exec(textAt(listAt(body, 'input').at(-1), 'output')) ?? []
    if (session === undefined || !toolsOf(body).includes(WAITS_ON)) return undefined
    const input = { session_id: Number(session), chars: '', yield_time_ms: WAIT_MS }
    return { name: WAITS_ON, input }
  },
  reply,
  failure: (code, message, id) =>
    event('response.failed', {
      response: { id, object: 'response', status: 'failed', error: { code, message }, output: [] },
    }),
  usageLimit: (resetsAt, secondsLeft) => ({
    // Codex passes them on in its app-server.
    headers: {
      'x-codex-primary-used-percent': '100',
      'x-codex-primary-window-minutes': '300',
      'x-codex-primary-reset-at': String(resetsAt),
    },
    body: {
      error: {
        type: 'usage_limit_reached',
        message: 'The usage limit has been reached',
        plan_type: 'plus',
        resets_at: resetsAt,
        resets_in_seconds: secondsLeft,
      },
    },
  }),
}

function readConversation(body: unknown): Conversation {
  const heard = listAt(body, 'input').flatMap((item): Heard[] => {
    if (textAt(item, 'type').endsWith('_call_output')) {
      return LEFT_RUNNING.test(textAt(item, 'output')) ? [] : [{ kind: 'tool_result' }]
    }
    return textAt(item, 'role') === 'user' ? [{ kind: 'user', text: contentText(item) }] : []
  })
  return makeConversation(heard, toolsOf(body))
}

const toolsOf = (body: unknown) =>
  listAt(body, 'tools').map(tool => textAt(tool, 'name') || textAt(tool, 'type'))

function reply(answer: Reply, { tools }: Conversation, id: string): Frames {
  const parts: string[] = []
  const output: unknown[] = []
  let ending = ''

  if (answer.text !== undefined) {
    const item = { type: 'message', id: `msg_${id}`, role: 'assistant' }
    const place = { item_id: item.id, output_index: 0, content_index: 0 }
    const whole = { type: 'output_text', text: answer.text, annotations: [] }
    const pieces = partsOf(answer.text, answer.chunks ?? 1)
    parts.push(
      event('response.output_item.added', {
        output_index: 0,
        item: { ...item, status: 'in_progress', content: [] },
      }) +
        event('response.content_part.added', { ...place, part: { ...whole, text: '' } }) +
        event('response.output_text.delta', { ...place, delta: pieces[0] ?? '' }),
      ...pieces.slice(1).map(delta => event('response.output_text.delta', { ...place, delta })),
    )
    const done = { ...item, status: 'completed', content: [whole] }
    ending += event('response.output_item.done', { output_index: 0, item: done })
    output.push(done)
  }

  const use = answer.shell === undefined ? answer.tool : shellCall(answer.shell, tools)
  if (use !== undefined) {
    const call = {
      type: 'function_call',
      id: `fc_${id}`,
      call_id: `call_${id}`,
      ...inNamespace(use.name, tools),
      arguments: JSON.stringify(use.input),
      status: 'completed',
    }
    const output_index = output.length
    ending += event('response.output_item.added', {
      output_index,
      item: { ...call, arguments: '', status: 'in_progress' },
    })
    ending += event('response.output_item.done', { output_index, item: call })
    output.push(call)
  }

  const usage = use?.name === WAITS_ON ? NO_USAGE : USAGE
  const response = { id: `resp_${id}`, object: 'response', output: [] as unknown[] }
  return {
    opening: event('response.created', { response: { ...response, status: 'in_progress' } }),
    parts,
    ending:
      ending +
      event('response.completed', {
        response: { ...response, status: 'completed', output, usage },
      }),
  }
}

/** Codex offers the tools of an MCP server as a namespace, and knows them by its name and theirs. */
function inNamespace(name: string, tools: readonly string[]) {
  const namespace = tools.find(tool => name.startsWith(`${tool}__`))
  return namespace === undefined ? { name } : { namespace, name: name.slice(namespace.length + 2) }
}
