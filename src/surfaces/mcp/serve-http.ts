/**
 * Serves any number of clients over HTTP, on 127.0.0.1 alone. Who may: whoever has the token. A page
 * in a browser may not, whatever it has: Host and Origin must be of this machine.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { Premises } from './make-call.ts'
import { makeServer } from './make-server.ts'
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from './sdk.ts'

const PATH = '/mcp'
/** A prompt may be long; nothing else is. */
const MOST_BYTES = 16_000_000
/** A client that goes away without a word leaves its session; one that was dropped begins anew. */
const MOST_SESSIONS = 100

type Answer = (request: Request) => Promise<Response>

/** Until `ended` is aborted. */
export async function serveOverHttp(
  given: Omit<Premises, 'session'>,
  port: number,
  version: string,
): Promise<void> {
  const token = await given.holdfast.mcpToken()
  // Whoever started the server is none of its clients.
  const environment = { ...given.environment, CLAUDE_CODE_MESSAGING_SOCKET: undefined }
  const premises = { ...given, environment, session: null }
  const answer = guard(token.value, answerBoth(premises, version))
  const http = createServer((request, response) => {
    serve(request, response, answer).catch(error => {
      given.tell(`holdfast: ${messageOf(error)}`)
      response.destroy()
    })
  })
  const listening = await listen(http, port)
  given.tell(`http://127.0.0.1:${listening}${PATH}`)
  given.tell(`the token is in ${token.path}: Authorization: Bearer …`)
  if (!given.ended.aborted) {
    await new Promise(resolve => given.ended.addEventListener('abort', resolve, { once: true }))
  }
  http.closeAllConnections()
  await new Promise(resolve => http.close(resolve))
}

async function listen(http: HttpServer, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', resolve)
  }).catch(cause => {
    throw new AppError('refused_in_state', `port ${port} cannot be had: ${messageOf(cause)}`, {
      hint: 'choose another: holdfast mcp --http --port 0',
      cause,
    })
  })
  return (http.address() as AddressInfo).port
}

/** Clients of both eras: those since 2026-07-28 need no session. */
function answerBoth(premises: Premises, version: string): Answer {
  const onerror = (error: Error) => premises.tell(`holdfast: ${error.message}`)
  const modern = createMcpHandler(() => makeServer(premises, 'modern', version), {
    legacy: 'reject',
    maxRequestBodySize: MOST_BYTES,
    onerror,
  })
  const legacy = answerInSessions(premises, version)
  return async request =>
    (await isLegacyRequest(request, undefined, { maxRequestBodySize: MOST_BYTES }))
      ? await legacy(request)
      : await modern.fetch(request)
}

/** A session holds a connection and nothing else: it may be dropped, and begun anew, at any time. */
function answerInSessions(premises: Premises, version: string): Answer {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  const begin = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: MOST_BYTES,
      onsessioninitialized: id => {
        sessions.set(id, transport)
        const [oldest] = sessions.keys()
        if (sessions.size > MOST_SESSIONS && oldest !== undefined) drop(oldest)
      },
      onsessionclosed: id => drop(id),
    })
    await makeServer(premises, 'legacy', version).connect(transport)
    return transport
  }
  const drop = (id: string) => {
    const transport = sessions.get(id)
    sessions.delete(id)
    void transport?.close()
  }
  return async request => {
    const id = request.headers.get('mcp-session-id')
    const known = id === null ? undefined : sessions.get(id)
    if (id !== null && known === undefined) return refuse(404, 'no such session: begin anew')
    if (id === null || known === undefined) return await (await begin()).handleRequest(request)
    // The least used goes first.
    sessions.delete(id)
    sessions.set(id, known)
    return await known.handleRequest(request)
  }
}

function guard(token: string, answer: Answer): Answer {
  const origins = localhostAllowedOrigins()
  return async request => {
    const rejected =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, origins)
    if (rejected !== undefined) return rejected
    if (!isSame(request.headers.get('authorization') ?? '', `Bearer ${token}`)) {
      return refuse(401, 'the token is wrong or missing', { 'www-authenticate': 'Bearer' })
    }
    if (new URL(request.url).pathname !== PATH) return refuse(404, `only ${PATH} is served`)
    return await answer(request)
  }
}

/** However much of it is right, it takes the same time. */
function isSame(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function refuse(status: number, message: string, headers: Record<string, string> = {}): Response {
  const body = { jsonrpc: '2.0', id: null, error: { code: -32_000, message } }
  return Response.json(body, { status, headers })
}

/** Between the requests of Node and those of the SDK. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const { status, headers, body } = await answer(toWeb(request, gone.signal))
  response.writeHead(status, Object.fromEntries(headers))
  if (body === null) response.end()
  else {
    // A client that goes away in the middle is none of our business.
    await pipeline(Readable.fromWeb(body as ReadableStream), response).catch(() => undefined)
  }
}

function toWeb(request: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers } = request
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  )
  return new Request(new URL(url, `http://${headers.host ?? '127.0.0.1'}`), {
    method,
    headers: pairs,
    signal,
    ...(hasBody ? { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' } : {}),
  } as RequestInit)
}
