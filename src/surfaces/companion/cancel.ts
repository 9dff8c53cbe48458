import type { Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { askForEnds, awaitEnds } from '../end-tasks.ts'
import { sessionOf } from './caller-session.ts'
import { isOver, listJobs, requireJob } from './find-jobs.ts'
import { makeEntry } from './job.ts'
import { writePretty } from './print.ts'
import { renderCancelled } from './render.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

export const cancel: Subcommand = {
  grammar: { values: [], switches: [], takesText: false },
  async run({ switches, words }, context) {
    const { output } = context
    const task = await requireActive(words[0], context)
    const { id } = task.request
    const wasAtWork = task.session !== null && task.attempts > 0
    await askForEnds([task], { tree: false, lost: false }, context)
    const { tasks, end } = await awaitEnds([id], context)
    const ended = tasks[0] ?? task
    if (end !== 'ended') {
      throw new Refusal(
        `Job ${id} is being cancelled, and not over yet. Check /codex:status ${id}.`,
      )
    }
    const job = await makeEntry(ended, ended.state.name, context)
    if (job.status !== 'cancelled') {
      throw new Refusal(
        `Job ${id} had come to its end: it is ${job.status}. See /codex:result ${id}.`,
      )
    }
    if (switches.has('json')) {
      const { status, title } = job
      const turn = { turnInterruptAttempted: wasAtWork, turnInterrupted: wasAtWork }
      writePretty({ jobId: id, status, title, ...turn }, output)
    } else output.write(renderCancelled(job))
    return 0
  },
}

async function requireActive(
  reference: string | undefined,
  context: CommandContext,
): Promise<Task> {
  if (reference !== undefined) {
    const job = await requireJob(reference, context)
    if (!isOver(job)) return job
    throw new Refusal(`No active job found for "${reference}".`)
  }
  const [job, another] = (await listJobs(context)).filter(one => !isOver(one))
  if (another !== undefined) {
    throw new Refusal('Multiple Codex jobs are active. Pass a job id to /codex:cancel.')
  }
  if (job !== undefined) return job
  const whose = sessionOf(context.caller) === null ? '' : ' for this session'
  throw new Refusal(`No active Codex jobs to cancel${whose}.`)
}
