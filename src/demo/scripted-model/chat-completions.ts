/**
 * The OpenAI Chat Completions protocol as OpenCode 1.18.33 and Pi 0.73.1 speak it:
 * POST `<base>/chat/completions`, answered by server-sent events up to `[DONE]`.
 */
import { contentText, fieldAt, listAt, textAt } from './fields.ts'
import {
  type Frames,
  type Heard,
  makeConversation,
  type Protocol,
  partsOf,
  plainEvent,
} from './protocol.ts'
import type { Conversation, Reply } from './script.ts'
import { shellCall } from './shell-tools.ts'

/** What every answer is said to have cost. */
const USAGE = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 40 },
}

export const chatCompletions: Protocol = {
  matches: path => path.endsWith('/chat/completions'),
  readConversation,
  reply,
  failure: (code, message) => plainEvent({ error: { type: code, code, message } }),
  usageLimit: (_resetsAt, secondsLeft) => ({
    headers: { 'retry-after': String(secondsLeft) },
    body: {
      error: {
        type: 'tokens',
        code: 'rate_limit_exceeded',
        message: `Rate limit reached. Please try again in ${secondsLeft}s.`,
      },
    },
  }),
  inOnePiece: { isWanted: body => fieldAt(body, 'stream') !== true, reply: replyInOnePiece },
}

function readConversation(body: unknown): Conversation {
  const heard = listAt(body, 'messages').flatMap((message): Heard[] => {
    const role = textAt(message, 'role')
    if (role === 'tool') return [{ kind: 'tool_result' }]
    return role === 'user' ? [{ kind: 'user', text: contentText(message) }] : []
  })
  const tools = listAt(body, 'tools').map(tool => textAt(fieldAt(tool, 'function'), 'name'))
  return makeConversation(heard, tools)
}

function reply(answer: Reply, { tools }: Conversation, id: string): Frames {
  const chunk = (choices: readonly object[], usage: object | null = null) =>
    plainEvent({ ...identify(id), object: 'chat.completion.chunk', choices, usage })
  const say = (delta: object, finish_reason: string | null = null) =>
    chunk([{ index: 0, delta, finish_reason }])

  const pieces = answer.text === undefined ? [] : partsOf(answer.text, answer.chunks ?? 1)
  const called = toolCalls(answer, tools, id)
  return {
    opening: say({ role: 'assistant', content: '' }),
    parts: pieces.map(content => say({ content })),
    ending:
      (called.length === 0 ? '' : say({ tool_calls: called })) +
      say({}, finishReason(answer)) +
      chunk([], USAGE) +
      'data: [DONE]\n\n',
  }
}

function replyInOnePiece(answer: Reply, { tools }: Conversation, id: string): unknown {
  const called = toolCalls(answer, tools, id)
  const message = {
    role: 'assistant',
    content: answer.text ?? null,
    ...(called.length > 0 && { tool_calls: called }),
  }
  const choices = [{ index: 0, message, finish_reason: finishReason(answer) }]
  return { ...identify(id), object: 'chat.completion', choices, usage: USAGE }
}

function identify(id: string): object {
  return { id: `chatcmpl-${id}`, created: 0, model: 'scripted' }
}

function toolCalls(answer: Reply, tools: readonly string[], id: string): readonly object[] {
  if (answer.shell === undefined) return []
  const { name, input } = shellCall(answer.shell, tools)
  const called = { name, arguments: JSON.stringify(input) }
  return [{ index: 0, id: `call_${id}`, type: 'function', function: called }]
}

function finishReason(answer: Reply): string {
  return answer.shell === undefined ? 'stop' : 'tool_calls'
}
