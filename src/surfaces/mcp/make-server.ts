import * as z from 'zod/mini'
import { callTool } from './call-tool.ts'
import { askingMeanwhile } from './elicit.ts'
import type { Premises } from './make-call.ts'
import { TASKS } from './mcp-task.ts'
import { serveMcpTasks } from './mcp-tasks.ts'
import {
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type Tool as WireTool,
} from './sdk.ts'
import { effects, type Tool } from './tool.ts'
import { tools } from './tools.ts'

const instructions = `Holdfast runs coding-agent tasks that hold on: each in a git worktree of its own, whatever becomes of whoever asked. delegate returns at once with an id; wait for it, or come back later, also in another session: inbox and status find it. Its changes are in no file of yours until you apply them.`

/** Before 2026-07-28 a connection began with a handshake, and there were no extensions. */
export type Era = 'legacy' | 'modern'

/** One connection's server. Nothing but the connection is in it: it may be ended at any time. */
export function makeServer(premises: Premises, era: Era, version: string): Server {
  const extensions = era === 'modern' ? { extensions: { [TASKS]: {} } } : {}
  const server = new Server(
    { name: 'holdfast', title: 'Holdfast', version },
    { capabilities: { tools: {}, ...extensions }, instructions },
  )
  if (era === 'modern') serveMcpTasks(server, premises)
  server.setRequestHandler('tools/list', () => ({ tools: tools.map(describeTool) }))
  server.setRequestHandler('tools/call', async ({ params }, request) => {
    const tool = tools.find(({ name }) => name === params.name)
    if (tool === undefined) {
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `there is no tool "${params.name}"; tools: ${tools.map(({ name }) => name).join(', ')}`,
      )
    }
    const answer = (asked: ServerContext) =>
      callTool(tool, params.arguments, server, asked, premises)
    return await premises.borrowing(() =>
      era === 'modern' ? answer(request) : askingMeanwhile(answer, request),
    )
  })
  return server
}

const described = new Map<Tool, WireTool>()

/** As clients see it. */
export function describeTool(tool: Tool): WireTool {
  const before = described.get(tool)
  if (before !== undefined) return before
  const { name, title, description, effect } = tool
  const made = {
    name,
    title,
    description,
    inputSchema: z.toJSONSchema(tool.input, { io: 'input' }) as WireTool['inputSchema'],
    outputSchema: z.toJSONSchema(tool.output) as NonNullable<WireTool['outputSchema']>,
    annotations: { title, ...effects[effect] },
  }
  described.set(tool, made)
  return made
}
