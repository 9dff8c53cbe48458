/** Who calls a tool, from where, and how they are told more and asked. */
import { isAbsolute } from 'node:path'
import type { Composition, Variables } from '../../compose.ts'
import { AppError } from '../../domain/errors.ts'
import type { SurfaceContext } from '../context.ts'
import {
  type Client,
  callerOf,
  clientOf,
  findRoot,
  sessionOf,
  tieOf,
  toolUseOf,
  workspaceOf,
} from './client.ts'
import { readDeclined, readReply } from './elicit.ts'
import type { Server, ServerContext } from './sdk.ts'
import type { ToolCall } from './tool.ts'

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
  /** What users would rather not answer, by the names of the questions: not asked again while we last. */
  readonly declined: Set<string>
  /** Aborted when the server ends. */
  readonly ended: AbortSignal
  /** Says what is for nobody in particular. */
  tell(line: string): void
}

export async function makeCall(
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
  const caller = callerOf(client, session, directory, environment)
  const context: SurfaceContext = {
    holdfast,
    environment,
    directory,
    caller,
    output: { tell: line => notes.push(line) },
    interrupted: AbortSignal.any([request.mcpReq.signal, ended]),
    now: () => Date.now(),
  }
  return {
    context,
    client,
    toolUse: toolUseOf(client, request),
    progress: progressOf(request),
    tie: () => tieOf(client, caller, premises),
    replyTo: asked => readReply(asked, request),
    declined: readDeclined(request),
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
