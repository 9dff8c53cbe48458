/** Stays with a job until it is over, shows what it does, and brings home what it changed. */
import type { Task } from '../../domain/task.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import type { CommandContext } from '../cli/command.ts'
import { signalExitCode } from '../cli/exit-codes.ts'
import { waitForTasks } from '../wait-for.ts'
import { bringJobHome } from './bring-job-home.ts'
import { companionOf, describeApply } from './job.ts'
import { gatherOutcome } from './payload.ts'
import { writePretty } from './print.ts'
import { describeProgress } from './progress.ts'

/** The exit code. A signal only detaches: the job goes on. */
export async function followJob(
  task: Task,
  { json }: { readonly json: boolean },
  context: CommandContext,
): Promise<number> {
  const { output } = context
  const { id } = task.request
  const tell = (line: string) => json || output.tell(`[codex] ${line}`)
  tell(`Starting ${companionOf(task).title} as ${id}.`)
  const onEvents = async (events: readonly { body: Parameters<typeof describeProgress>[0] }[]) => {
    for (const { body } of events) {
      const line = describeProgress(body)
      if (line !== null) tell(line)
    }
  }
  const { tasks, end } = await waitForTasks([id], { onEvents }, context)
  const ended = tasks[0] ?? task
  if (typeof end === 'object') {
    output.tell(`Detached; the job goes on. Check /codex:status ${id}, or: holdfast wait ${id}`)
    return signalExitCode(end.interrupted)
  }
  const { payload, rendered, status } = await gatherOutcome(ended, context)
  if (status === 0) await takeHome(ended, context)
  if (json) writePretty(payload, output)
  else output.write(rendered)
  if (status !== 0) {
    const apply = describeApply(ended)
    if (apply !== null) output.tell(`What it changed until then is kept: ${apply}`)
  }
  await acknowledgeShown([ended], context)
  return status
}

async function takeHome(task: Task, context: CommandContext): Promise<void> {
  const { output } = context
  const brought = await bringJobHome(task, context)
  if (brought.kind === 'brought') {
    output.tell(`Brought ${countFiles(brought.files.length)} back to ${brought.root}.`)
  }
  if (brought.kind !== 'left') return
  output.tell(`Its changes were not brought back: ${brought.why}.`)
  output.tell(`Take them with: ${describeApply(task)}`)
}

const countFiles = (count: number) => (count === 1 ? '1 file' : `${count} files`)
