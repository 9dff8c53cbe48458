/** One call of a tool, from what the client sent to what it gets. */
import { isAbsolute } from 'node:path'
import type * as z from 'zod/mini'
import type { Composition, Variables } from '../../compose.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { Question } from '../../domain/question.ts'
import type { SurfaceContext } from '../context.ts'
import { namingSandbox } from '../writable-store.ts'
import {
  type Client,
  callerOf,
  clientOf,
  findRoot,
  sessionOf,
  toolUseOf,
  workspaceOf,
} from './client.ts'
import {
  type CallToolResult,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type Server,
  type ServerContext,
} from './sdk.ts'
import type { Asks, Reply, Told, Tool, ToolCall } from './tool.ts'

/** What all calls of one server share. */
export interface Premises {
  readonly holdfast: Composition
  readonly environment: Variables
  /** Where the server was started. */
  readonly directory: string
  /** The session of the client that the server was started for; null: it serves many, or none is known. */
  readonly session: string | null
  /**
   * Does a call's work. The store is open only while there is any: it may be mended, or uninstalled,
   * while a server stands by.
   */
  borrowing<T>(work: () => Promise<T>): Promise<T>
  /** Aborted when the server ends. */
  readonly ended: AbortSignal
  /** Says what is for nobody in particular. */
  tell(line: string): void
}

export async function callTool(
  tool: Tool,
  given: unknown,
  server: Server,
  request: ServerContext,
  premises: Premises,
): Promise<CallToolResult | InputRequiredResult> {
  const notes: string[] = []
  try {
    const input = parseInput(tool, given)
    const call = await makeCall(input, server, request, premises, notes)
    try {
      const outcome = await tool.run(input as z.infer<Tool['input']>, call)
      return 'asks' in outcome ? askUser(outcome) : tellClient(outcome, notes)
    } catch (error) {
      throw error instanceof AppError ? await namingSandbox(error, call.context) : error
    }
  } catch (error) {
    if (request.mcpReq.signal.aborted || premises.ended.aborted) throw error
    return refuse(error, notes, premises)
  }
}

function parseInput(tool: Tool, given: unknown): Readonly<Record<string, unknown>> {
  const parsed = tool.input.safeParse(given ?? {})
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') || 'the arguments'
  throw new AppError('bad_usage', `${tool.name}: ${where}: ${issue?.message ?? 'not understood'}`)
}

async function makeCall(
  input: Readonly<Record<string, unknown>>,
  server: Server,
  request: ServerContext,
  premises: Premises,
  notes: string[],
): Promise<ToolCall> {
  const { holdfast, ended } = premises
  const client = clientOf(server, request)
  const directory = await findDirectory(input.cwd, client, request, premises)
  const environment = environmentFor(client, premises.environment)
  const session = sessionOf(client, request) ?? premises.session
  const context: SurfaceContext = {
    holdfast,
    environment,
    directory,
    caller: callerOf(client, session, directory, environment),
    output: { tell: line => notes.push(line) },
    interrupted: AbortSignal.any([request.mcpReq.signal, ended]),
    now: () => Date.now(),
  }
  return {
    context,
    client,
    toolUse: toolUseOf(client, request),
    progress: progressOf(request),
    replyTo: question => readReply(question, request),
  }
}

/** What was said; else what the client works on; else where it started us. */
async function findDirectory(
  cwd: unknown,
  client: Client,
  request: ServerContext,
  { directory, environment }: Premises,
): Promise<string> {
  if (typeof cwd === 'string') {
    if (isAbsolute(cwd)) return cwd
    throw new AppError('bad_usage', `cwd ${cwd} is not absolute: there is no saying what it is of`)
  }
  const root = client.hasRoots ? await findRoot(request) : workspaceOf(client, request)
  // Codex starts the server of a plugin where the plugin lies, and nobody works there.
  const here = environment.PLUGIN_ROOT === undefined ? directory : '/'
  return root ?? environment.CLAUDE_PROJECT_DIR ?? here
}

/** Another client that runs inside of a session of Claude Code is not the one to be woken. */
function environmentFor({ name }: Client, environment: Variables): Variables {
  return name.startsWith('claude')
    ? environment
    : { ...environment, CLAUDE_CODE_MESSAGING_SOCKET: undefined }
}

function progressOf({ mcpReq }: ServerContext): ToolCall['progress'] {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return null
  let progress = 0
  return async message => {
    progress++
    await mcpReq.notify({
      method: 'notifications/progress',
      params: { progressToken, progress, message },
    })
  }
}

function askUser({ asks: { id, text, options } }: Asks): InputRequiredResult {
  const labels = options.map(({ label }) => label)
  return inputRequired({
    inputRequests: {
      [id]: inputRequired.elicit({
        message: text,
        requestedSchema: {
          type: 'object',
          properties: {
            answer: {
              type: 'string',
              title: 'Answer',
              ...(labels.length === 0 ? {} : { enum: labels }),
            },
          },
          required: ['answer'],
        },
      }),
    },
  })
}

function readReply({ id, options }: Question, { mcpReq }: ServerContext): Reply | undefined {
  const response = inputResponse(mcpReq.inputResponses, id)
  if (response.kind !== 'elicit') return undefined
  const words = response.action === 'accept' ? response.content?.answer : null
  if (typeof words !== 'string') return { words: null }
  // By its number: what it is called may be the number of another.
  const chosen = options.findIndex(({ label }) => label === words)
  return { words: chosen < 0 ? words : `#${chosen + 1}` }
}

function tellClient({ view, text }: Told<unknown>, notes: readonly string[]): CallToolResult {
  return {
    content: [{ type: 'text', text: [...notes, text].join('\n') }],
    structuredContent: view as Record<string, unknown>,
  }
}

/** No document: a client would hold it against the schema of one that went well. */
function refuse(error: unknown, notes: readonly string[], { tell }: Premises): CallToolResult {
  const isRefusal = error instanceof AppError
  if (!isRefusal) {
    tell(`holdfast: unexpected: ${error instanceof Error ? error.stack : String(error)}`)
  }
  const { code, hint } = isRefusal ? error : { code: 'unexpected', hint: undefined }
  const message = messageOf(error)
  const lines = [...notes, `${code}: ${message}`, ...(hint === undefined ? [] : [hint])]
  return {
    content: [{ type: 'text', text: lines.join('\n') }],
    isError: true,
    _meta: { 'holdfast/error': { code, message, hint: hint ?? null } },
  }
}
