/** A task in the words of the companion: a job. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompanionJob } from '../../domain/companion-job.ts'
import { asFence } from '../../domain/ids.ts'
import { hasEnded, type Task, type TaskStateName } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { lookAtTasks, lookAtWorker } from '../look.ts'
import { sessionOf } from './caller-session.ts'
import { describePhase, describeProgress } from './progress.ts'

export type JobStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

const STATUSES: Record<TaskStateName, JobStatus> = {
  queued: 'queued',
  starting: 'running',
  running: 'running',
  needs_input: 'running',
  waiting: 'running',
  cancelling: 'running',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
}

/** What is recorded of a job. Times are ISO 8601. */
export interface JobEntry {
  readonly id: string
  readonly kind: CompanionJob['kind']
  readonly kindLabel: 'rescue' | 'review' | 'adversarial-review'
  readonly title: string
  readonly workspaceRoot: string
  readonly jobClass: 'task' | 'review'
  readonly summary: string
  readonly write: boolean
  readonly status: JobStatus
  /** The agent's process; null: none runs now, as far as it can be seen. */
  readonly pid: number | null
  readonly threadId: string | null
  readonly sessionId: string | null
  /** What Codex itself prints; it need not be there yet. */
  readonly logFile: string
  readonly createdAt: string
  readonly updatedAt: string
  readonly startedAt: string | null
  readonly completedAt: string | null
  readonly errorMessage: string | null
  /** The model and effort that were asked for; null: Codex's own. */
  readonly model: string | null
  readonly effort: string | null
}

/** The same with how it is getting on. */
export interface Job extends JobEntry {
  readonly phase: string
  /** Its last lines, four at most. */
  readonly progressPreview: readonly string[]
  readonly elapsed: string | null
  readonly duration: string | null
  /** How to take what it changed; null: there is nothing, or it is home. */
  readonly apply: string | null
}

/** What was asked elsewhere is a task like any other. */
export function companionOf({ request: { caller, name, permissions } }: Task): CompanionJob {
  return (
    caller.companion ?? {
      kind: 'task',
      title: 'Codex Task',
      summary: name,
      write: permissions.effective !== 'read-only',
    }
  )
}

export async function makeEntry(
  task: Task,
  state: TaskStateName,
  { holdfast }: CommandContext,
): Promise<JobEntry> {
  const { id, repo, caller, createdAt, model, effort } = task.request
  const { kind, title, summary, write } = companionOf(task)
  const files = await holdfast.files()
  const runDirectory = files.runDirectory(id, asFence(Math.max(1, task.attempts)))
  const status = STATUSES[state]
  return {
    id,
    kind,
    kindLabel: kind === 'task' ? 'rescue' : kind,
    title,
    workspaceRoot: repo.root,
    jobClass: kind === 'task' ? 'task' : 'review',
    summary,
    write,
    status,
    pid: status === 'running' ? readPid(runDirectory) : null,
    threadId: task.session,
    sessionId: sessionOf(caller),
    logFile: join(runDirectory, 'stdout'),
    createdAt: iso(createdAt),
    updatedAt: iso(task.stateSince),
    startedAt: task.startedAt === null ? null : iso(task.startedAt),
    completedAt: hasEnded(task.state) ? iso(task.state.endedAt) : null,
    errorMessage: describeError(task),
    model,
    effort,
  }
}

/** As they stand now. */
export async function lookAtJobs(
  tasks: readonly Task[],
  context: CommandContext,
): Promise<readonly Job[]> {
  const store = await context.holdfast.store()
  const views = await lookAtTasks(tasks, await lookAtWorker(context), context)
  return await Promise.all(
    tasks.map(async (task, n) => {
      const view = views[n]
      const state = view?.state ?? task.state.name
      const entry = await makeEntry(task, state, context)
      const events = await store.lastEvents(task.request.id, EVENTS_SEEN)
      const isShown = entry.status !== 'completed' && entry.status !== 'cancelled'
      const lines = events.flatMap(event => describeProgress(event.body) ?? [])
      const time = describeTime(entry, context.now())
      return {
        ...entry,
        phase: describePhase({ state, kind: entry.kind, events }),
        progressPreview: isShown
          ? [...lines, ...reasonOf(task, view?.reason)].slice(-LINES_SHOWN)
          : [],
        elapsed: time,
        duration: entry.completedAt === null ? null : time,
        apply: describeApply(task),
      }
    }),
  )
}

const EVENTS_SEEN = 40
const LINES_SHOWN = 4

/** Why a task waits is what there is to say of it. */
function reasonOf({ state }: Task, reason: string | null | undefined): readonly string[] {
  return state.name === 'waiting' && reason != null ? [reason] : []
}

export function describeApply({ request: { id }, state, taken, worktree }: Task): string | null {
  const result = 'result' in state ? state.result : null
  const isHome = worktree?.kind === 'borrowed' || taken !== null
  return result === null || result.files === 0 || isHome ? null : `holdfast apply ${id}`
}

function describeError({ state }: Task): string | null {
  if (state.name === 'cancelled') return 'Cancelled by user.'
  return state.name === 'failed' ? state.failure.message : null
}

function readPid(runDirectory: string): number | null {
  try {
    return Number.parseInt(readFileSync(join(runDirectory, 'pid'), 'utf8'), 10) || null
  } catch {
    return null // It has not begun.
  }
}

function describeTime({ startedAt, createdAt, completedAt }: JobEntry, now: number): string | null {
  const end = completedAt === null ? now : Date.parse(completedAt)
  const seconds = Math.round((end - Date.parse(startedAt ?? createdAt)) / 1000)
  // A clock may be set back.
  if (seconds < 0) return null
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  if (hours > 0) return `${hours}h ${minutes}m`
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`
}

const iso = (time: number): string => new Date(time).toISOString()
