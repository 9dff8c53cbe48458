/**
 * What is left behind for a job in the background: a program that waits for its end, and brings home
 * what it did. It may be killed: then `apply` does that, as `result` says.
 */
import { workerEnvironment } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'
import type { TaskId } from '../../domain/ids.ts'
import type { CommandContext } from '../cli/command.ts'
import { callerEnvironment } from '../hand-in-ports.ts'
import { waitForTasks } from '../wait-for.ts'
import { bringJobHome } from './bring-job-home.ts'
import { requireJob } from './find-jobs.ts'
import type { Subcommand } from './subcommand.ts'

/** It may wait for days, beside many others, and nobody watches. */
const POLL_MS = 1_000

export const bringBack: Subcommand = {
  grammar: { values: [], switches: [], takesText: false },
  async run({ words }, context) {
    const found = await requireJob(words[0] ?? '', context)
    const { id } = found.request
    const { tasks, end } = await waitForTasks([id], { pollMs: POLL_MS }, context)
    const [task] = tasks
    if (end !== 'ended' || task === undefined) return 0
    const brought = await bringJobHome(task, context)
    if (brought.kind === 'left') {
      const store = await context.holdfast.store()
      const note = `not brought back: ${brought.why}`
      await store.recordNote(id, null, 'task_changed', note, context.now())
    }
    return 0
  },
}

/** Where it cannot be started, the job goes on all the same. */
export async function leaveToBringBack(id: TaskId, context: CommandContext): Promise<void> {
  const { holdfast, output } = context
  try {
    const argv = [...holdfast.command, 'companion', 'bring-back', id] as const
    const environment = workerEnvironment(callerEnvironment(context))
    await (await holdfast.host()).startDetached(argv, environment, '/dev/null')
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    output.tell(`What it changes is not brought back by itself: ${error.message}.`)
    output.tell(`Take it, once it is done, with: holdfast apply ${id}`)
  }
}
