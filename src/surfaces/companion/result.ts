import type { Task } from '../../domain/task.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import type { CommandContext } from '../cli/command.ts'
import { isOver, listJobs, requireJob } from './find-jobs.ts'
import { describeApply, lookAtJobs, makeEntry } from './job.ts'
import { gatherOutcome } from './payload.ts'
import { writePretty } from './print.ts'
import { renderResult } from './render.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

export const result: Subcommand = {
  grammar: { values: [], switches: [], takesText: false },
  async run({ switches, words }, context) {
    const { output } = context
    const task = await requireFinished(words[0], context)
    const job = await makeEntry(task, task.state.name, context)
    const { payload, rendered } = await gatherOutcome(task, context)
    if (switches.has('json')) {
      writePretty({ job, storedJob: { ...job, result: payload, rendered } }, output)
    } else {
      output.write(renderResult(job, rendered, describeApply(task)))
    }
    await acknowledgeShown([task], context)
    return 0
  },
}

async function requireFinished(
  reference: string | undefined,
  context: CommandContext,
): Promise<Task> {
  const jobs =
    reference === undefined ? await listJobs(context) : [await requireJob(reference, context)]
  const finished = jobs.find(isOver)
  if (finished !== undefined) return finished
  const [open] = jobs
  if (open === undefined) {
    throw new Refusal('No finished Codex jobs found for this repository yet.')
  }
  const [job] = await lookAtJobs([open], context)
  throw new Refusal(
    `Job ${open.request.id} is still ${job?.status}. Check /codex:status and try again once it finishes.`,
  )
}
