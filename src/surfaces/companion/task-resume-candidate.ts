import { sessionOf } from './caller-session.ts'
import { findResumable, listThreads } from './find-jobs.ts'
import { makeEntry } from './job.ts'
import { writePretty } from './print.ts'
import type { Subcommand } from './subcommand.ts'

export const taskResumeCandidate: Subcommand = {
  grammar: { values: [], switches: [], takesText: false },
  async run({ switches }, context) {
    const { output } = context
    const found = findResumable(await listThreads(context))
    const job = found && (await makeEntry(found, found.state.name, context))
    if (switches.has('json')) {
      writePretty(
        {
          available: job !== undefined,
          sessionId: sessionOf(context.caller),
          candidate:
            job === undefined
              ? null
              : {
                  id: job.id,
                  status: job.status,
                  title: job.title,
                  summary: job.summary,
                  threadId: job.threadId,
                  completedAt: job.completedAt,
                  updatedAt: job.updatedAt,
                },
        },
        output,
      )
    } else if (job === undefined) output.write('No resumable task found for this session.\n')
    else output.write(`Resumable task found: ${job.id} (${job.status}).\n`)
    return 0
  },
}
