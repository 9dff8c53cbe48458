/**
 * The Anthropic Messages protocol as Claude Code 2.1.329 speaks it: POST `<origin>/v1/messages`,
 * answered by server-sent events up to `message_stop`. After streams that broke, Claude Code asks
 * for an answer in one piece.
 */
import { contentText, fieldAt, listAt, textAt } from './fields.ts'
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

/** What every answer is said to have cost; the output is counted at its end. */
const INPUT_USAGE = {
  input_tokens: 60,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 40,
}
const OUTPUT_TOKENS = 20

export const messages: Protocol = {
  matches: path => path.endsWith('/v1/messages'),
  readConversation,
  reply,
  failure: (code, message) => event('error', { error: { type: code, message } }),
  usageLimit: (resetsAt, secondsLeft) => ({
    headers: {
      // Without it, Claude Code asks ten times again.
      'x-should-retry': 'false',
      'retry-after': String(secondsLeft),
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(resetsAt),
      'anthropic-ratelimit-unified-representative-claim': 'five_hour',
    },
    body: {
      type: 'error',
      error: { type: 'rate_limit_error', message: 'This would exceed your account’s rate limit.' },
    },
  }),
  inOnePiece: { isWanted: body => fieldAt(body, 'stream') !== true, reply: replyInOnePiece },
}

/** Results of tools come in messages of the user, before any text in the same message. */
function readConversation(body: unknown): Conversation {
  const heard = listAt(body, 'messages').flatMap((message): Heard[] => {
    if (textAt(message, 'role') !== 'user') return []
    const steps: Heard[] = listAt(message, 'content')
      .filter(block => textAt(block, 'type') === 'tool_result')
      .map(() => ({ kind: 'tool_result' }))
    const text = contentText(message)
    if (text !== '') steps.push({ kind: 'user', text })
    return steps
  })
  return makeConversation(
    heard,
    listAt(body, 'tools').map(tool => textAt(tool, 'name')),
  )
}

function reply(answer: Reply, { tools }: Conversation, id: string): Frames {
  const parts: string[] = []
  let ending = ''
  let index = 0

  if (answer.text !== undefined) {
    const content_block = { type: 'text', text: '' }
    const deltas = partsOf(answer.text, answer.chunks ?? 1).map(text =>
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
    )
    parts.push(
      event('content_block_start', { index, content_block }) + (deltas[0] ?? ''),
      ...deltas.slice(1),
    )
    ending += event('content_block_stop', { index })
    index++
  }

  for (const { input, ...call } of toolUses(answer, tools, id)) {
    const delta = { type: 'input_json_delta', partial_json: JSON.stringify(input) }
    ending += event('content_block_start', { index, content_block: { ...call, input: {} } })
    ending += event('content_block_delta', { index, delta })
    ending += event('content_block_stop', { index })
    index++
  }

  return {
    opening: event('message_start', { message: makeMessage(id, [], null, 1) }),
    parts,
    ending:
      ending +
      event('message_delta', {
        delta: { stop_reason: stopReason(answer), stop_sequence: null },
        usage: { output_tokens: OUTPUT_TOKENS },
      }) +
      event('message_stop', {}),
  }
}

function replyInOnePiece(answer: Reply, { tools }: Conversation, id: string): unknown {
  const content: object[] = []
  if (answer.text !== undefined) content.push({ type: 'text', text: answer.text })
  content.push(...toolUses(answer, tools, id))
  return makeMessage(id, content, stopReason(answer), OUTPUT_TOKENS)
}

function makeMessage(
  id: string,
  content: readonly object[],
  stop_reason: string | null,
  output_tokens: number,
): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    content,
    stop_reason,
    stop_sequence: null,
    usage: { ...INPUT_USAGE, output_tokens },
  }
}

function toolUses(
  { shell, tool, more = [], structured }: Reply,
  tools: readonly string[],
  id: string,
) {
  const calls = [
    ...(shell === undefined ? [] : [shellCall(shell, tools)]),
    ...(tool === undefined ? [] : [tool, ...more]),
    ...(structured === undefined ? [] : [{ name: 'StructuredOutput', input: structured }]),
  ]
  return calls.map((one, n) => ({
    type: 'tool_use',
    id: n === 0 ? `toolu_${id}` : `toolu_${id}_${n}`,
    ...one,
  }))
}

function stopReason({ shell, tool, structured }: Reply): string {
  const calls = [shell, tool, structured].some(one => one !== undefined)
  return calls ? 'tool_use' : 'end_turn'
}
