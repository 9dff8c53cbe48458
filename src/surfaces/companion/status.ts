import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { waitForTasks } from '../wait-for.ts'
import { isOver, listJobs, requireJob } from './find-jobs.ts'
import { type Job, lookAtJobs } from './job.ts'
import { writePretty } from './print.ts'
import { renderJobReport, renderStatusReport } from './render.ts'
import { isGateEnabled } from './review-gate.ts'
import { describeRuntime, type SessionRuntime } from './session-runtime.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

export interface StatusReport {
  readonly workspaceRoot: string
  readonly config: { readonly stopReviewGate: boolean }
  readonly sessionRuntime: SessionRuntime
  readonly running: readonly Job[]
  readonly latestFinished: Job | null
  readonly recent: readonly Job[]
  readonly needsReview: boolean
}

/** How many jobs are shown without `--all`. */
const SHOWN = 8
const WAIT_MS = 240_000

export const status: Subcommand = {
  // How often it looks is not for the caller to know: it costs nothing.
  grammar: {
    values: ['timeout-ms', 'poll-interval-ms'],
    switches: ['all', 'wait'],
    takesText: false,
  },
  async run({ values, switches, words }, context) {
    const { output } = context
    const json = switches.has('json')
    const [reference] = words
    if (reference !== undefined) {
      const timeoutMs = switches.has('wait') ? readTimeout(values['timeout-ms']) : null
      return await showOne(reference, { timeoutMs, json }, context)
    }
    if (switches.has('wait')) throw new Refusal('`status --wait` requires a job id.')
    const report = await makeReport(switches.has('all'), context)
    if (json) writePretty(report, output)
    else output.write(renderStatusReport(report))
    return 0
  },
}

function readTimeout(text: string | undefined): number {
  const ms = Number(text)
  return ms > 0 ? ms : WAIT_MS
}

/** `timeoutMs` null: it is not waited for. */
async function showOne(
  reference: string,
  { timeoutMs, json }: { readonly timeoutMs: number | null; readonly json: boolean },
  context: CommandContext,
): Promise<number> {
  const { output, holdfast } = context
  const found = await requireJob(reference, context)
  const { id } = found.request
  if (timeoutMs !== null) await waitForTasks([id], { timeoutMs }, context)
  const task = (await (await holdfast.store()).findTask(id)) ?? found
  const [job] = await lookAtJobs([task], context)
  if (job === undefined) throw new Error('a task is a job')
  const waited = timeoutMs === null ? {} : { waitTimedOut: !isOver(task), timeoutMs }
  if (json) writePretty({ workspaceRoot: workspaceOf(context), job, ...waited }, output)
  else output.write(renderJobReport(job))
  if (timeoutMs !== null && !json && !isOver(task)) {
    output.tell(`It is not over after ${timeoutMs} ms; it goes on.`)
  }
  return 0
}

async function makeReport(all: boolean, context: CommandContext): Promise<StatusReport> {
  const tasks = await listJobs(context)
  const active = tasks.filter(task => !isOver(task))
  const over = tasks.filter(isOver)
  const shown = all ? over : over.slice(0, Math.max(1, SHOWN - active.length))
  const running = await lookAtJobs(active, context)
  const [latestFinished = null, ...recent] = await lookAtJobs(shown, context)
  const workspaceRoot = workspaceOf(context)
  const stopReviewGate = isGateEnabled(workspaceRoot, context.environment)
  return {
    workspaceRoot,
    config: { stopReviewGate },
    sessionRuntime: await describeRuntime(context),
    running,
    latestFinished,
    recent,
    needsReview: stopReviewGate,
  }
}

const workspaceOf = ({ directory }: CommandContext) => findCheckout(directory)?.root ?? directory
