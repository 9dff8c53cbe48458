/** Who calls, from where, and what it can do: as the two eras of the protocol say it. */
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod/mini'
import type { Variables } from '../../compose.ts'
import type { Caller } from '../../domain/task.ts'
import type { Tie } from '../../domain/tie.ts'
import { detectCaller } from '../caller.ts'
import { tieToCaller } from '../find-tie.ts'
import type { Premises } from './make-call.ts'
import { TASKS } from './mcp-task.ts'
import type { Server, ServerContext } from './sdk.ts'

const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'

/** How long a client may take to say where it works. */
const ROOTS_MS = 5_000

export interface Client {
  readonly name: string
  readonly elicits: boolean
  readonly takesTasks: boolean
  readonly hasRoots: boolean
}

/** Since 2026-07-28 each request says it; before, the first one did. */
export function clientOf(server: Server, { mcpReq }: ServerContext): Client {
  const envelope = mcpReq.envelope as Readonly<Record<string, unknown>> | undefined
  const info = (envelope?.[CLIENT_INFO] ?? server.getClientVersion()) as
    | { name?: string }
    | undefined
  const capabilities = (envelope?.[CAPABILITIES] ?? server.getClientCapabilities()) as
    | {
        elicitation?: { form?: object; url?: object }
        roots?: object
        extensions?: Readonly<Record<string, unknown>>
      }
    | undefined
  const elicitation = capabilities?.elicitation
  return {
    name: info?.name ?? 'unknown',
    // One that names no mode takes forms: there was nothing else once.
    elicits: elicitation !== undefined && (elicitation.form !== undefined || !elicitation.url),
    // Each request says it anew: before, there was no such extension.
    takesTasks: envelope !== undefined && capabilities?.extensions?.[TASKS] !== undefined,
    // Later clients are not asked any more.
    hasRoots: envelope === undefined && capabilities?.roots !== undefined,
  }
}

const isCodex = ({ name }: Client) => name.startsWith('codex')

/** Its session, where each request says it; over HTTP, that of the connection. */
export function sessionOf(
  client: Client,
  { mcpReq, sessionId }: ServerContext,
): string | undefined {
  const thread = isCodex(client) ? mcpReq._meta?.threadId : undefined
  return typeof thread === 'string' ? thread : sessionId
}

/** What names this one use of a tool; null: nothing does. */
export function toolUseOf(client: Client, { mcpReq }: ServerContext): string | null {
  const named = isCodex(client) ? mcpReq._meta?.callId : mcpReq._meta?.['claudecode/toolUseId']
  return typeof named === 'string' ? named : null
}

const turnMetadata = z.object({ workspaces: z.record(z.string(), z.unknown()) })

/** The checkout that a thread of Codex works in: each of its calls says so, wherever we were started. */
export function workspaceOf(client: Client, { mcpReq }: ServerContext): string | undefined {
  if (!isCodex(client)) return undefined
  const said = turnMetadata.safeParse(mcpReq._meta?.['x-codex-turn-metadata'])
  return said.success ? Object.keys(said.data.workspaces).find(path => isAbsolute(path)) : undefined
}

/** A task that delegates is known by its mark, whoever speaks for it. */
export function callerOf(
  client: Client,
  session: string | null,
  directory: string,
  environment: Variables,
): Caller {
  const caller = detectCaller(environment, directory)
  if (caller.kind === 'task') return caller
  return { kind: 'mcp', id: session === null ? null : `${client.name}:${session}`, directory }
}

/**
 * The process of whoever calls: over stdio, the one that has started us, and of Claude Code the session,
 * whatever it starts us through. What it has in its environment may be of a session around it. Over
 * HTTP anybody may be at the other end.
 */
export async function tieOf(
  { name }: Client,
  caller: Caller,
  { session, holdfast }: Pick<Premises, 'session' | 'holdfast'>,
): Promise<Tie> {
  const starter = name.startsWith('claude') ? 'claude' : 'program'
  const isStarter = caller.kind === 'mcp' && session !== null
  return await tieToCaller(isStarter ? { ...caller, kind: starter } : caller, {}, holdfast)
}

/** The first of its roots that is a directory of this machine; undefined: it names none. */
export async function findRoot({ mcpReq }: ServerContext): Promise<string | undefined> {
  try {
    const { roots } = await mcpReq.send({ method: 'roots/list' }, { timeout: ROOTS_MS })
    const uri = roots.map(root => root.uri).find(one => one.startsWith('file://'))
    return uri === undefined ? undefined : fileURLToPath(uri)
  } catch {
    // It said that it would answer, and does not: where we were started is as good a guess.
    return undefined
  }
}
