/**
 * MCP tasks, for clients that declare the extension for them: begun by a call of a tool, then looked at,
 * answered and ended by their ids, over this connection or any later one.
 */
import * as z from 'zod/mini'
import { AppError } from '../../domain/errors.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { findAsked } from '../../engine/answer.ts'
import { askForEnds } from '../end-tasks.ts'
import { lookAtTasks, lookAtWorker, ringOrTell } from '../look.ts'
import { describeTasks } from './describe.ts'
import { formOf, passReplies } from './elicit.ts'
import { makeCall, type Premises } from './make-call.ts'
import { type McpTask, nameMcpTask, parseMcpTask, TASKS } from './mcp-task.ts'
import {
  type CallToolResult,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
} from './sdk.ts'
import { tellClient } from './tell-client.ts'
import type { Tool, ToolCall } from './tool.ts'
import { delegate } from './tools/delegate.ts'
import { wait } from './tools/wait.ts'

/** How often a client should look. A look costs a few milliseconds. */
const POLL_MS = 1_000

const followed: Readonly<Record<McpTask['tool'], Tool>> = { delegate, wait }

const params = z.object({ taskId: z.string() })

export function serveMcpTasks(server: Server, premises: Premises): void {
  type Act = (found: Found, call: ToolCall, notes: string[]) => Promise<Record<string, unknown>>
  const serve = (method: string, act: Act) =>
    server.setRequestHandler(method, { params }, ({ taskId }, request) =>
      premises.borrowing(async () => {
        const notes: string[] = []
        const call = await makeCall({}, server, request, premises, notes)
        requireExtension(call)
        try {
          return await act(await findTasks(taskId, call), call, notes)
        } catch (error) {
          throw error instanceof AppError ? asProtocolError(error) : error
        }
      }),
    )
  serve('tasks/get', async (found, call, notes) => ({
    ...(await look(found, call, premises, notes)),
  }))
  serve('tasks/update', async ({ tasks }, call) => {
    for (const name of await passReplies(tasks, call)) premises.declined.add(name)
    return {}
  })
  serve('tasks/cancel', async ({ mcpTask, tasks }, call) => {
    // Who does not wait any longer ends nothing.
    if (mcpTask.tool === 'wait') return {}
    const { going } = await askForEnds(tasks, { tree: false, lost: false }, call.context)
    if (going.length > 0) await ringOrTell(call.context)
    return {}
  })
}

/** What the call of a tool gets that goes on; or, where it is over already, what it has come to. */
export async function beginMcpTask(
  mcpTask: McpTask,
  call: ToolCall,
  premises: Premises,
  notes: readonly string[],
): Promise<CallToolResult> {
  const found = await findTasks(nameMcpTask(mcpTask), call)
  const seen = await look(found, call, premises, notes)
  if (seen.status === 'completed') return seen.result
  const { inputRequests: _, ...task } = { inputRequests: null, ...seen }
  return { ...task, resultType: 'task', content: [{ type: 'text', text: task.statusMessage }] }
}

interface Found {
  readonly mcpTask: McpTask
  readonly tasks: readonly Task[]
}

async function findTasks(taskId: string, { context }: ToolCall): Promise<Found> {
  const mcpTask = parseMcpTask(taskId)
  const store = await context.holdfast.store()
  const tasks: Task[] = []
  for (const id of mcpTask?.tasks ?? []) {
    const task = await store.findTask(id)
    if (task !== undefined) tasks.push(task)
  }
  if (mcpTask !== undefined && tasks.length === mcpTask.tasks.length) return { mcpTask, tasks }
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `there is no task "${taskId}"`)
}

/** As `tasks/get` gives it. `notes`: what is said besides, also of what is done here. */
async function look(
  { mcpTask, tasks }: Found,
  call: ToolCall,
  { declined }: Premises,
  notes: readonly string[],
) {
  const { client, context } = call
  const store = await context.holdfast.store()
  const views = await lookAtTasks(tasks, await lookAtWorker(context), context)
  const iso = (time: number) => new Date(time).toISOString()
  const task = {
    taskId: nameMcpTask(mcpTask),
    statusMessage: [...new Set(notes), describeTasks(views, context.now())].join('\n'),
    createdAt: iso(Math.min(...tasks.map(({ request }) => request.createdAt))),
    lastUpdatedAt: iso(Math.max(...tasks.map(({ stateSince }) => stateSince))),
    ttlMs: null,
    pollIntervalMs: POLL_MS,
  }
  const forms: Record<string, ReturnType<typeof formOf>> = {}
  const done: boolean[] = []
  for (const one of tasks) {
    const asked = await findAsked(one, store)
    const mayBeAsked = asked !== null && client.elicits && !declined.has(asked.name)
    if (mayBeAsked) {
      forms[asked.name] = formOf(asked.question, tasks.length > 1 ? one.request.name : null)
    }
    // What a task asks, and its user is not to be asked, ends the call, as it ends a wait.
    done.push(hasEnded(one.state) || (asked !== null && !mayBeAsked))
  }
  if (mcpTask.any ? done.includes(true) : !done.includes(false)) {
    const isCancelled = tasks.every(({ state }) => state.name === 'cancelled')
    if (mcpTask.tool === 'delegate' && isCancelled) return { ...task, status: 'cancelled' as const }
    const told = await followed[mcpTask.tool].report?.(tasks, call)
    if (told === undefined) throw new Error(`${mcpTask.tool} says what it has come to`)
    const result = { ...tellClient(told, [...new Set(notes)]), resultType: 'complete' }
    return { ...task, status: 'completed' as const, result }
  }
  if (Object.keys(forms).length === 0) return { ...task, status: 'working' as const }
  return { ...task, status: 'input_required' as const, inputRequests: forms }
}

/** Each request says anew what its client takes. */
function requireExtension({ client }: ToolCall): void {
  if (client.takesTasks) return
  throw new MissingRequiredClientCapabilityError({
    requiredCapabilities: { extensions: { [TASKS]: {} } },
  })
}

function asProtocolError({ code, message, hint }: AppError): ProtocolError {
  const isAsked = code === 'bad_usage' || code === 'refused_in_state'
  return new ProtocolError(
    isAsked ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError,
    hint === undefined ? message : `${message} (${hint})`,
    { code },
  )
}
