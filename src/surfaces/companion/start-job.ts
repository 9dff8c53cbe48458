/** The second half of whatever starts a job: hands it in, and stays with it or says where it is. */

import { join } from 'node:path'
import type { CompanionJob } from '../../domain/companion-job.ts'
import { asFence } from '../../domain/ids.ts'
import type { Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { leaveToBringBack } from './bring-back.ts'
import { followJob } from './follow.ts'
import { type AskedJob, handInJob } from './hand-in.ts'
import { writePretty } from './print.ts'

export interface JobManner {
  readonly json: boolean
  readonly background: boolean
}

export async function startJob(
  asked: Omit<AskedJob, 'isAwaited'>,
  manner: JobManner,
  context: CommandContext,
): Promise<number> {
  const task = await handInJob({ ...asked, isAwaited: !manner.background }, context)
  return await attendJob(task, asked.companion, manner, context)
}

/** Of a job that was handed in just now. */
export async function attendJob(
  task: Task,
  { write, title, summary }: CompanionJob,
  { json, background }: JobManner,
  context: CommandContext,
): Promise<number> {
  if (!background) return await followJob(task, { json }, context)
  const { id, workplace } = task.request
  if (write && workplace.kind === 'managed') await leaveToBringBack(id, context)
  const { output, holdfast } = context
  const logFile = join((await holdfast.files()).runDirectory(id, asFence(1)), 'stdout')
  if (json) writePretty({ jobId: id, status: 'queued', title, summary, logFile }, output)
  else {
    output.write(
      `${title} started in the background as ${id}. Check /codex:status ${id} for progress.\n`,
    )
  }
  return 0
}
