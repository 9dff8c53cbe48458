/** Tasks as they stand at this moment, for the commands that show them. */

import type { Task } from '../../domain/task.ts'
import { activeStates } from '../../domain/task.ts'
import { judgeNow } from '../../engine/judge-now.ts'
import { type TaskView, viewTask, viewWorker, type WorkerView } from '../view.ts'
import type { CommandContext } from './command.ts'

export interface Look {
  readonly worker: WorkerView
  view(task: Task): TaskView
}

/**
 * Looks whether a worker is up. Where there is none but work for one, it is started, and not
 * waited for: what is shown meanwhile is judged from the processes and files themselves.
 */
export async function lookNow(context: CommandContext): Promise<Look> {
  const { holdfast } = context
  const store = await holdfast.store()
  const [files, host, presence] = [
    await holdfast.files(),
    await holdfast.host(),
    await holdfast.presence(),
  ]
  const info = presence.look()
  const active = await store.countTasks(activeStates)
  if (info === undefined && active + (await store.countTasks(['queued', 'waiting'])) > 0) {
    await ringOrTell(context)
  }
  return {
    worker: viewWorker(info, active),
    view: task =>
      viewTask(task, judgeNow(task, info !== undefined, context.now(), { host, files })),
  }
}

/** The task is safe in the store whether or not a worker can be started: that is only told. */
export async function ringOrTell({ holdfast, output }: CommandContext): Promise<void> {
  try {
    await (await holdfast.presence()).ring()
  } catch (error) {
    output.tell(
      `holdfast: no worker could be started: ${error instanceof Error ? error.message : error}`,
    )
    output.tell('  the task waits for one: holdfast worker start')
  }
}
