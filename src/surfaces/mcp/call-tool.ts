/** One call of a tool, from what the client sent to what it gets. */
import type * as z from 'zod/mini'
import { AppError, messageOf } from '../../domain/errors.ts'
import { namingSandbox } from '../writable-store.ts'
import { formOf } from './elicit.ts'
import { makeCall, type Premises } from './make-call.ts'
import { beginMcpTask } from './mcp-tasks.ts'
import {
  type CallToolResult,
  type InputRequiredResult,
  inputRequired,
  type Server,
  type ServerContext,
} from './sdk.ts'
import { tellClient } from './tell-client.ts'
import type { Tool } from './tool.ts'

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
      if ('goesOn' in outcome) return await beginMcpTask(outcome.goesOn, call, premises, notes)
      if ('asks' in outcome) {
        const { asks, who, declined } = outcome
        return inputRequired({
          inputRequests: { [asks.name]: formOf(asks.question, who) },
          ...(declined.length === 0 ? {} : { requestState: JSON.stringify(declined) }),
        })
      }
      return tellClient(outcome, notes)
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
  if (parsed.success) return refuseZeroBytes(tool, parsed.data)
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') || 'the arguments'
  throw new AppError('bad_usage', `${tool.name}: ${where}: ${issue?.message ?? 'not understood'}`)
}

/** JSON can say it, and no name of anything has one. What an agent is told is looked at as a whole. */
function refuseZeroBytes(
  { name }: Tool,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  for (const [key, value] of Object.entries(input)) {
    const isTold = key === 'prompt' || key === 'text' || key === 'answer'
    const words = [value].flat().filter(one => typeof one === 'string')
    if (isTold || !words.some(word => word.includes('\0'))) continue
    throw new AppError('bad_usage', `${name}: ${key}: there is a zero byte in it`)
  }
  return input
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
