/**
 * The Gemini API as Gemini CLI 0.61.0 speaks it: POST `<origin>/v1beta/models/<model>:<method>`,
 * where `streamGenerateContent` is answered by server-sent events, each a response of its own, and
 * `generateContent` in one piece.
 */
import { fieldAt, listAt, textAt } from './fields.ts'
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
  promptTokenCount: 100,
  cachedContentTokenCount: 40,
  candidatesTokenCount: 20,
  totalTokenCount: 120,
}

export const gemini: Protocol = {
  matches: path => /\/models\/[^/]+:(streamGenerateContent|generateContent)$/.test(path),
  readConversation,
  reply,
  // No event: an error cuts into the stream as it is, and only so do clients see it.
  failure: (code, message) => JSON.stringify({ error: { code: 500, message, status: code } }),
  usageLimit: (_resetsAt, secondsLeft) => ({
    headers: {},
    body: {
      error: {
        code: 429,
        status: 'RESOURCE_EXHAUSTED',
        message: `You exceeded your current quota. Please retry in ${secondsLeft}s.`,
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
            violations: [
              {
                quotaMetric: 'generativelanguage.googleapis.com/generate_requests',
                // By the day, it is waited for by no client.
                quotaId: 'GenerateRequestsPerDayPerProjectPerModel',
              },
            ],
          },
          {
            '@type': 'type.googleapis.com/google.rpc.RetryInfo',
            retryDelay: `${secondsLeft}s`,
          },
        ],
      },
    },
  }),
  inOnePiece: {
    isWanted: (_body, path) => path.endsWith(':generateContent'),
    reply: replyInOnePiece,
  },
}

function readConversation(body: unknown): Conversation {
  const heard = listAt(body, 'contents').flatMap((content): Heard[] => {
    const parts = listAt(content, 'parts')
    const steps: Heard[] = parts
      .filter(part => fieldAt(part, 'functionResponse') !== undefined)
      .map(() => ({ kind: 'tool_result' }))
    const texts = parts.map(part => textAt(part, 'text')).filter(text => text !== '')
    if (textAt(content, 'role') === 'user' && texts.length > 0) {
      steps.push({ kind: 'user', text: texts.join('\n') })
    }
    return steps
  })
  const tools = listAt(body, 'tools')
    .flatMap(tool => listAt(tool, 'functionDeclarations'))
    .map(declaration => textAt(declaration, 'name'))
  return makeConversation(heard, tools)
}

function reply(answer: Reply, { tools }: Conversation, id: string): Frames {
  const pieces = answer.text === undefined ? [] : partsOf(answer.text, answer.chunks ?? 1)
  return {
    // There is none: the first response is the first part.
    opening: '',
    parts: pieces.map(text => plainEvent(makeResponse(id, [{ text }]))),
    ending: plainEvent(finish(makeResponse(id, calls(answer, tools)))),
  }
}

function replyInOnePiece(answer: Reply, { tools }: Conversation, id: string): unknown {
  const texts = answer.text === undefined ? [] : [{ text: answer.text }]
  return finish(makeResponse(id, [...texts, ...calls(answer, tools)]))
}

function calls({ shell }: Reply, tools: readonly string[]): readonly object[] {
  if (shell === undefined) return []
  const { name, input } = shellCall(shell, tools)
  return [{ functionCall: { name, args: input } }]
}

interface Response {
  readonly responseId: string
  readonly modelVersion: string
  readonly candidates: readonly object[]
}

function makeResponse(id: string, parts: readonly object[]): Response {
  const candidates = [{ index: 0, content: { role: 'model', parts } }]
  return { responseId: id, modelVersion: 'scripted', candidates }
}

function finish(response: Response): object {
  const candidates = response.candidates.map(one => ({ ...one, finishReason: 'STOP' }))
  return { ...response, candidates, usageMetadata: USAGE }
}
