/**
 * A model server that answers by a script, on loopback only: what `holdfast demo` and the tests
 * run real agents against, offline. It keeps every request in memory, in order, with its body.
 * `close()` leaves nothing behind: open answers, also hanging ones, are cut and awaited.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { chatCompletions } from './chat-completions.ts'
import { gemini } from './gemini.ts'
import { messages } from './messages.ts'
import { type Frames, type Protocol, partsOf } from './protocol.ts'
import { responses } from './responses.ts'
import type { Choose, RecordedRequest, Reply, Turn, TurnRequest } from './script.ts'

/** One file each. */
const protocols: readonly Protocol[] = [responses, chatCompletions, messages, gemini]

/** An agent's key may be the user's own: it has no place in a log. */
const SECRET_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key']

/** The name that the server gives its only model. */
export const MODEL = 'scripted'

export interface ScriptedModelOptions {
  /** Answers in this order, each once. */
  readonly turns?: readonly Turn[]
  /** Asked first; where it gives nothing, `turns` are. */
  readonly choose?: Choose
  /** The answer once `turns` are used up. */
  readonly fallback?: Turn
  /** Every request is appended to it too, as one line of JSON. */
  readonly logFile?: string
}

export interface ScriptedModel {
  readonly port: number
  /** What agents are given as the base of an OpenAI API, ending in `/v1`. */
  readonly url: string
  /** The base of the Anthropic and Gemini APIs, whose clients add the version themselves. */
  readonly origin: string
  /** Every request so far, oldest first. */
  readonly requests: readonly RecordedRequest[]
  /** Replaces the turns that are left. */
  setTurns(turns: readonly Turn[]): void
  push(turn: Turn): void
  /** Cuts every connection and resolves once no socket, timer or answer is left. */
  close(): Promise<void>
}

/** Starts the server on a free port of 127.0.0.1. Rejects where it cannot listen. */
export async function startScriptedModel(
  options: ScriptedModelOptions = {},
): Promise<ScriptedModel> {
  const queue = [...(options.turns ?? [])]
  const fallback = options.fallback ?? { kind: 'reply', text: '(the script has no more turns)' }
  const requests: RecordedRequest[] = []
  const answering = new Set<Promise<void>>()
  const closing = new AbortController()
  // Agents keep the ids in their history: a second server must not give the same ones again.
  const idPrefix = randomBytes(4).toString('hex')

  function record(request: RecordedRequest): void {
    requests.push(request)
    if (options.logFile !== undefined) {
      appendFileSync(options.logFile, `${JSON.stringify(request)}\n`)
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const path = (request.url ?? '/').replace(/\?.*$/, '')
    const heard = {
      number: requests.length + 1,
      at: Date.now(),
      method: request.method ?? '',
      path,
      headers: plainHeaders(request),
      body,
    }
    const protocol = protocols.find(one => request.method === 'POST' && one.matches(path))
    if (protocol === undefined) {
      record({ ...heard, conversation: null, answer: 'not_a_turn' })
      return answerOther(request, path, response)
    }
    const conversation = protocol.readConversation(body)
    const asked: TurnRequest = { ...heard, conversation }
    const side = conversation.tools.length === 0
    const wait = protocol.waitOn?.(body)
    const turn: Turn = side
      ? { kind: 'reply', text: 'A side request.' }
      : wait !== undefined
        ? { kind: 'reply', tool: wait }
        : (options.choose?.(asked) ?? queue.shift() ?? fallback)
    record({ ...asked, answer: side ? 'side' : wait !== undefined ? 'waits' : turn })
    await perform(turn, protocol, asked, response, `${idPrefix}_${heard.number}`, closing.signal)
  }

  const server = createServer((request, response) => {
    const done = answer(request, response).catch((thrown: unknown) => {
      // Whoever hung up, or `close()`, ended it; anything else is for the agent to see.
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end(`scripted model: ${String(thrown)}`)
    })
    answering.add(done)
    done.finally(() => answering.delete(done))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  return {
    port,
    url: `http://127.0.0.1:${port}/v1`,
    origin: `http://127.0.0.1:${port}`,
    requests,
    setTurns(turns) {
      queue.splice(0, queue.length, ...turns)
    },
    push(turn) {
      queue.push(turn)
    },
    async close() {
      closing.abort()
      if (server.listening) {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      }
      await Promise.all(answering)
    },
  }
}

/** Plays one turn. Ends early, by a rejection, when the client hangs up or the server closes. */
async function perform(
  turn: Turn,
  protocol: Protocol,
  request: TurnRequest,
  response: ServerResponse,
  id: string,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([closing, gone.signal])
  const pause = async (ms: number | undefined) => {
    if (ms !== undefined && ms > 0) await sleep(ms, undefined, { signal })
    signal.throwIfAborted()
  }

  await pause(turn.delayMs)
  if (turn.kind === 'drop' && turn.when === 'before') {
    response.destroy()
    return
  }
  if (turn.kind === 'http_error') {
    const body = turn.body ?? { error: { type: 'server_error', message: 'as the script says' } }
    refuse(response, turn.status, body, turn.headers)
    return
  }
  if (turn.kind === 'usage_limit') {
    const secondsLeft = Math.max(0, Math.ceil((turn.resetsAtMs - Date.now()) / 1000))
    const refused = protocol.usageLimit(Math.ceil(turn.resetsAtMs / 1000), secondsLeft)
    refuse(response, 429, refused.body, refused.headers)
    return
  }
  const { inOnePiece } = protocol
  const whole = inOnePiece?.isWanted(request.body, request.path) ? inOnePiece : undefined
  if (turn.kind === 'failed' && whole !== undefined) {
    refuse(response, 500, { error: { type: turn.code, message: turn.message } })
    return
  }

  const reply: Reply = turn.kind === 'reply' ? turn : { kind: 'reply', text: 'cut off', chunks: 2 }
  const frames =
    whole === undefined
      ? protocol.reply(reply, request.conversation, id)
      : piecesOf(whole.reply(reply, request.conversation, id))
  response.writeHead(200, {
    'content-type': whole === undefined ? 'text/event-stream' : 'application/json',
    'cache-control': 'no-cache',
  })
  response.flushHeaders()
  response.write(frames.opening)
  if (turn.kind === 'failed') {
    response.end(protocol.failure(turn.code, turn.message, id))
    return
  }
  if (turn.kind === 'hang') {
    await aborted(signal)
    return
  }
  for (const part of frames.parts) {
    if (turn.kind === 'drop') {
      // What was written must have left before the connection breaks, or nothing was mid-stream.
      await new Promise<void>(written => response.write(part, () => written()))
      response.destroy()
      return
    }
    response.write(part)
    await pause(reply.chunkMs)
    if (reply.until !== undefined) await Promise.race([reply.until, aborted(signal)])
    signal.throwIfAborted()
  }
  response.end(frames.ending)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

function refuse(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** An answer in one piece, in two: the connection may break between them all the same. */
function piecesOf(answer: unknown): Frames {
  return { opening: '', parts: partsOf(JSON.stringify(answer), 2), ending: '' }
}

function answerOther(request: IncomingMessage, path: string, response: ServerResponse): void {
  response.setHeader('content-type', 'application/json')
  if (request.method === 'GET' && path.endsWith('/models')) {
    // `data` is the API's list; Codex looks for `models`, its own, and takes an empty one.
    const data = [{ id: MODEL, object: 'model', owned_by: 'holdfast' }]
    response.end(JSON.stringify({ object: 'list', data, models: [] }))
  } else if (request.method === 'HEAD') {
    response.end() // Claude Code looks whether anybody is there.
  } else if (path.endsWith('/count_tokens')) {
    response.end('{"input_tokens":100}')
  } else if (path.endsWith(':countTokens')) {
    response.end('{"totalTokens":100}')
  } else {
    response.writeHead(404).end('{"error":{"message":"not found (scripted model)"}}')
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  try {
    return JSON.parse(text)
  } catch {
    return text // No JSON (nothing, or compressed): kept as it came.
  }
}

function plainHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !SECRET_HEADERS.includes(name)) headers[name] = String(value)
  }
  return headers
}
