/**
 * The OpenAI Responses protocol as Codex 0.80.0 to 0.169.0 speaks it with `wire_api = "responses"`:
 * POST `<base>/responses`, answered by server-sent events up to `response.completed`.
 */
import { type Frames, type Protocol, partsOf } from './protocol.ts'
import type { Conversation, Reply } from './script.ts'

/** What every answer is said to have cost. */
const USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 40 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 5 },
  total_tokens: 120,
}

/** The tools that run a shell command, newest Codex first, and how each wants to be called. */
const SHELL_TOOLS: Readonly<Record<string, (command: string) => unknown>> = {
  exec_command: command => ({ cmd: command }),
  shell_command: command => ({ command }),
  shell: command => ({ command: ['bash', '-lc', command] }),
}

export const responses: Protocol = {
  matches: path => path.endsWith('/responses'),
  readConversation,
  reply,
  failure: (code, message, id) =>
    event('response.failed', {
      response: { id, object: 'response', status: 'failed', error: { code, message }, output: [] },
    }),
}

function readConversation(body: unknown): Conversation {
  const userTexts: string[] = []
  const resultsAfter: number[] = []
  for (const item of listAt(body, 'input')) {
    const type = textAt(item, 'type')
    if (type.endsWith('_call_output')) {
      for (let i = 0; i < resultsAfter.length; i++) resultsAfter[i] = (resultsAfter[i] ?? 0) + 1
    } else if (textAt(item, 'role') === 'user') {
      const parts = listAt(item, 'content').map(part => textAt(part, 'text'))
      userTexts.push(parts.join('\n') || textAt(item, 'content'))
      resultsAfter.push(0)
    }
  }
  const tools = listAt(body, 'tools').map(tool => textAt(tool, 'name') || textAt(tool, 'type'))
  return { userTexts, resultsAfter, tools }
}

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

  if (answer.shell !== undefined) {
    const name = Object.keys(SHELL_TOOLS).find(tool => tools.includes(tool))
    // An unknown tool comes back to the script as the agent's own complaint, in the next request.
    const call = {
      type: 'function_call',
      id: `fc_${id}`,
      call_id: `call_${id}`,
      name: name ?? 'exec_command',
      arguments: JSON.stringify(SHELL_TOOLS[name ?? 'exec_command']?.(answer.shell)),
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

  const response = { id: `resp_${id}`, object: 'response', output: [] as unknown[] }
  return {
    opening: event('response.created', { response: { ...response, status: 'in_progress' } }),
    parts,
    ending:
      ending +
      event('response.completed', {
        response: { ...response, status: 'completed', output, usage: USAGE },
      }),
  }
}

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}

function fieldAt(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && key in value
    ? (value as Record<string, unknown>)[key]
    : undefined
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const field = fieldAt(value, key)
  return Array.isArray(field) ? field : []
}

function textAt(value: unknown, key: string): string {
  const field = fieldAt(value, key)
  return typeof field === 'string' ? field : ''
}
