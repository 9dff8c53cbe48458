import * as z from 'zod/mini'
import type { TaskEvent } from '../../../domain/agent-events.ts'
import type { Task } from '../../../domain/task.ts'
import { findAsked } from '../../../engine/answer.ts'
import { acknowledgeShown } from '../../acknowledge.ts'
import { describeEvent } from '../../cli/render.ts'
import type { SurfaceContext } from '../../context.ts'
import { requireTasks } from '../../find-task.ts'
import { lookAtTasks, lookAtWorker } from '../../look.ts'
import { taskView, workerView } from '../../view.ts'
import { type WaitOptions, waitForTasks } from '../../wait-for.ts'
import { describeWaited } from '../describe.ts'
import { passReplies } from '../elicit.ts'
import { MOST_IN_ONE } from '../mcp-task.ts'
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
    const ids = tasks.map(({ request }) => request.id)
    if (client.takesTasks && timeout_seconds === undefined && ids.length <= MOST_IN_ONE) {
      return { goesOn: { tool: 'wait', any: any ?? false, tasks: ids } }
    }
    const declined = await passReplies(tasks, call)
    const waited = await waitForTasks(
      ids,
      {
        timeoutMs:
          timeout_seconds === undefined
            ? (PATIENT[client.name] ?? PATIENCE_MS)
            : timeout_seconds * 1_000,
        any: any ?? false,
        ...(await tellProgress(tasks, call)),
      },
      context,
    )
    context.interrupted.throwIfAborted()
    for (const task of client.elicits ? waited.tasks : []) {
      const asks = await findAsked(task, store)
      if (asks === null || declined.has(asks.name)) continue
      return { asks, who: tasks.length > 1 ? task.request.name : null, declined: [...declined] }
    }
    return await tellWaited(waited.tasks, waited.end === 'timeout', context)
  },
  report: (tasks, { context }) => tellWaited(tasks, false, context),
})

async function tellWaited(tasks: readonly Task[], timedOut: boolean, context: SurfaceContext) {
  const worker = await lookAtWorker(context)
  const views = await lookAtTasks(tasks, worker, context)
  await acknowledgeShown(tasks, context)
  const text = describeWaited(views, timedOut, context.now())
  return { view: { tasks: [...views], worker, timedOut }, text }
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
