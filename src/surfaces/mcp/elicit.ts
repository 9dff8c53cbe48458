/** What a task asks, as a form for the user of a client, and what that brings back. */
import * as z from 'zod/mini'
import { AppError } from '../../domain/errors.ts'
import type { Question } from '../../domain/question.ts'
import { type Asked, askedBy, type Task } from '../../domain/task.ts'
import type { SurfaceContext } from '../context.ts'
import { passAnswer } from '../pass-answer.ts'
import {
  type CallToolResult,
  type ElicitRequestFormParams,
  type ElicitResult,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  isInputRequiredResult,
  type ServerContext,
} from './sdk.ts'
import type { Reply, ToolCall } from './tool.ts'

/** `who` asks, where it could be another. */
export function formOf({ text, options }: Question, who: string | null) {
  const labels = options.map(({ label }) => label)
  return inputRequired.elicit({
    message: who === null ? text : `${who} asks: ${text}`,
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
  })
}

export function readReply({ name, question }: Asked, { mcpReq }: ServerContext): Reply | undefined {
  const response = inputResponse(mcpReq.inputResponses, name)
  if (response.kind !== 'elicit') return undefined
  const said = response.action === 'accept' ? response.content?.answer : null
  if (typeof said !== 'string') return { words: null }
  // By its number: what it is called may be the number of another.
  const chosen = question.options.findIndex(({ label }) => label === said)
  return { words: chosen < 0 ? said : `#${chosen + 1}` }
}

const names = z.array(z.string())

/** As the client gives it back: whatever it makes of it, nobody is asked but the less. */
export function readDeclined({ mcpReq }: ServerContext): readonly string[] {
  const state = mcpReq.requestState()
  if (typeof state !== 'string') return []
  try {
    return names.safeParse(JSON.parse(state)).data ?? []
  } catch {
    return [] // It is none of ours.
  }
}

/** People take their time. */
const ANSWER_MS = 600_000

type Answer = CallToolResult | InputRequiredResult

/**
 * Before 2026-07-28 it is us who put a question, as often as there is one (the SDK would give the call
 * up after eight). Whoever does not answer, or cannot after all, has declined.
 */
export async function askingMeanwhile(
  answer: (request: ServerContext) => Promise<Answer>,
  request: ServerContext,
): Promise<CallToolResult> {
  const { mcpReq } = request
  const responses: Record<string, ElicitResult> = {}
  const notify = countingOn(mcpReq.notify)
  for (;;) {
    const asked = { ...mcpReq, notify, inputResponses: responses }
    const told = await answer({ ...request, mcpReq: asked })
    if (!isInputRequiredResult(told)) return told
    for (const [name, { params }] of Object.entries(told.inputRequests ?? {})) {
      const { message, requestedSchema } = params as ElicitRequestFormParams
      responses[name] = await mcpReq
        .send(
          { method: 'elicitation/create', params: { message, requestedSchema } },
          { timeout: ANSWER_MS },
        )
        .catch((): ElicitResult => ({ action: 'cancel' }))
      mcpReq.signal.throwIfAborted()
    }
  }
}

/** To the client it is one request: of what it is told of that, each number is larger than the last. */
function countingOn(notify: ServerContext['mcpReq']['notify']): typeof notify {
  let progress = 0
  return async notification => {
    if (notification.method !== 'notifications/progress') return await notify(notification)
    progress++
    const params = { ...notification.params, progress }
    return await notify({ ...notification, params } as typeof notification)
  }
}

/**
 * Hands on what the user has said; the names of the questions that stay open: declined, or answered
 * with what their agent does not take, which a user can be told of by nothing but another question.
 */
export async function passReplies(
  tasks: readonly Task[],
  { context, replyTo, ...before }: Pick<ToolCall, 'context' | 'replyTo' | 'declined'>,
): Promise<ReadonlySet<string>> {
  const declined = new Set(before.declined)
  for (const task of tasks) {
    const asked = askedBy(task)
    const reply = asked === null ? undefined : replyTo(asked)
    if (asked === null || reply === undefined) continue
    const isOver = reply.words !== null && (await isAnswered(task, reply.words, context))
    if (!isOver) declined.add(asked.name)
  }
  return declined
}

/** By this, or by somebody who was faster: the task goes on. */
async function isAnswered(task: Task, words: string, context: SurfaceContext): Promise<boolean> {
  try {
    await passAnswer(task, words, context)
    return true
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'refused_in_state') return true
    if (error.code === 'bad_usage') return false
    throw error
  }
}
