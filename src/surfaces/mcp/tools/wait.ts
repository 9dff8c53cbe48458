import * as z from 'zod/mini'
import type { TaskEvent } from '../../../domain/agent-events.ts'
import { AppError } from '../../../domain/errors.ts'
import type { Task } from '../../../domain/task.ts'
import { acknowledgeShown } from '../../acknowledge.ts'
import { describeEvent } from '../../cli/render.ts'
import { requireTasks } from '../../find-task.ts'
import { lookAtTasks, lookAtWorker } from '../../look.ts'
import { passAnswer } from '../../pass-answer.ts'
import { type TaskView, taskView, workerView } from '../../view.ts'
import { type WaitOptions, waitForTasks } from '../../wait-for.ts'
import { describeEnd, describeTasks } from '../describe.ts'
import { defineTool, field, type ToolCall, tasksField } from '../tool.ts'

/** Most clients give a call up after a minute. */
const PATIENCE_MS = 50_000
/** Those of which it is known that they wait as long as they are told what goes on. */
const PATIENT: Readonly<Record<string, number>> = { 'claude-code': 25 * 60_000 }

/** Of what goes on, no more than this is told, in milliseconds. */
const TELL_EVERY_MS = 1_000
/** A client that hears nothing takes us for dead. */
const SIGN_OF_LIFE_MS = 10_000

const input = z.strictObject({
  tasks: tasksField,
  any: z.optional(field(z.boolean(), 'until the first of them; else until all')),
  timeout_seconds: z.optional(
    field(z.number().check(z.gte(0)), 'at most this long (default: as long as your client waits)'),
  ),
})

export const waitedView = z.object({
  tasks: z.array(taskView),
  worker: workerView,
  /** Time was up before: call again. */
  timedOut: z.boolean(),
})

export const wait = defineTool({
  name: 'wait',
  title: 'Wait for tasks',
  description:
    'Waits until tasks have ended or ask something, and gives their answers. If time is up before, they go on: call it again.',
  input,
  output: waitedView,
  effect: 'none',
  async run({ tasks: names, any, timeout_seconds }, call) {
    const { context, client } = call
    const store = await context.holdfast.store()
    const tasks = await requireTasks(store, names)
    const { answered, declined } = await passReplies(tasks, call)
    const waited = await waitForTasks(
      tasks.map(({ request }) => request.id),
      {
        timeoutMs:
          timeout_seconds === undefined
            ? (PATIENT[client.name] ?? PATIENCE_MS)
            : timeout_seconds * 1_000,
        any: any ?? false,
        answered,
        ...(await tellProgress(tasks, call)),
      },
      context,
    )
    context.interrupted.throwIfAborted()
    const settled = new Set([...answered, ...declined])
    const asking = waited.tasks.find(
      ({ state }) => state.name === 'needs_input' && !settled.has(state.question.id),
    )
    if (client.elicits && asking?.state.name === 'needs_input') {
      return { asks: asking.state.question }
    }
    const worker = await lookAtWorker(context)
    const views = await lookAtTasks(waited.tasks, worker, context)
    await acknowledgeShown(waited.tasks, context)
    const timedOut = waited.end === 'timeout'
    return { view: { tasks: [...views], worker, timedOut }, text: describe(views, timedOut, call) }
  },
})

/** Hands on what the user has said since the last round. */
async function passReplies(tasks: readonly Task[], { context, replyTo }: ToolCall) {
  const answered = new Set<string>()
  const declined = new Set<string>()
  for (const task of tasks) {
    if (task.state.name !== 'needs_input') continue
    const { question } = task.state
    const reply = replyTo(question)
    if (reply === undefined) continue
    if (reply.words === null) declined.add(question.id)
    else {
      await passAnswer(task, reply.words, context).catch(passOverAnswered)
      answered.add(question.id)
    }
  }
  return { answered, declined }
}

/** Somebody else was faster: the task goes on. */
function passOverAnswered(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'refused_in_state') throw error
}

/** Of one task, what it does; of several, which have ended; and now and then that all is well. */
async function tellProgress(
  tasks: readonly Task[],
  { context, progress }: ToolCall,
): Promise<Pick<WaitOptions, 'after' | 'onEvents' | 'onLook'>> {
  if (progress === null) return {}
  const { now } = context
  const store = await context.holdfast.store()
  const [only, another] = tasks
  let news: string | null = null
  let toldAt = 0
  const tell = async (message: string) => {
    toldAt = now()
    news = null
    await progress(message)
  }
  const onLook = async () => {
    if (news !== null && now() - toldAt >= TELL_EVERY_MS) await tell(news)
    else if (now() - toldAt >= SIGN_OF_LIFE_MS) await tell(`${tasks.length} under way`)
  }
  if (only === undefined || another !== undefined) return { onLook }
  const { id, name } = only.request
  const [last] = await store.lastEvents(id, 1)
  return {
    after: last?.seq ?? 0,
    async onEvents(events: readonly TaskEvent[]) {
      for (const event of events) {
        const line = firstLine(describeEvent(event))
        if (line !== '') news = `${name}: ${line}`
      }
    },
    onLook,
  }
}

const firstLine = (text: string | null) =>
  (text ?? '').trim().split('\n', 1)[0]?.slice(0, 200) ?? ''

function describe(
  tasks: readonly TaskView[],
  timedOut: boolean,
  { context: { now } }: ToolCall,
): string {
  const parts = tasks.map(task => {
    const line = describeTasks([task], now())
    if (task.question !== null) {
      const options = task.question.options.map(({ label }, n) => `${n + 1} ${label}`).join(' · ')
      return `${line}\nit asks: ${task.question.text}\n${options}\nanswer it with the tool answer`
    }
    return isOver(task) ? `${line}\n${describeEnd(task)}` : line
  })
  return [...parts, timedOut ? 'not over yet: call wait again' : ''].join('\n').trimEnd()
}

function isOver({ endedAt }: TaskView): boolean {
  return endedAt !== null
}
