/** Which jobs are meant. A job is a task of Holdfast; found by its id from anywhere. */
import { activeStates, hasEnded, type Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCommonGitDir } from '../common-git-dir.ts'
import { isUnreadable, refuseUnreadable } from '../find-task.ts'
import { sessionOf } from './caller-session.ts'
import { Refusal } from './subcommand.ts'

/** How many of the newest tasks are looked through; what has not ended is found however old it is. */
const LOOK_BACK = 2_000

/**
 * Those that were asked for here, the newest first: by this session of Claude Code, from wherever; else
 * in this repository; and where there is none, by anybody.
 */
export async function listJobs(context: CommandContext): Promise<readonly Task[]> {
  const store = await context.holdfast.store()
  const session = sessionOf(context.caller)
  const repository = session === null ? findCommonGitDir(context.directory) : undefined
  const where = repository === undefined ? {} : { repository }
  const open = await store.listTasks({ ...where, states: ['queued', 'waiting', ...activeStates] })
  const newest = await store.listTasks({ ...where, limit: LOOK_BACK })
  const found = new Map([...open, ...newest].map(task => [task.request.id, task]))
  return [...found.values()]
    .filter(({ request: { caller } }) => {
      const isJob = caller.companion !== undefined
      return isJob && (session === null || sessionOf(caller) === session)
    })
    .sort((a, b) => b.stateSince - a.stateSince)
}

export const isOver = ({ state }: Task): boolean => hasEnded(state)

/** By id, unique prefix of one, or name. */
export async function requireJob(reference: string, context: CommandContext): Promise<Task> {
  const store = await context.holdfast.store()
  const [found, another] = await store.findTasksNamed(reference)
  if (found === undefined) {
    throw new Refusal(`No job found for "${reference}". Run /codex:status to list known jobs.`)
  }
  if (another !== undefined) {
    throw new Refusal(`Job reference "${reference}" is ambiguous. Use a longer job id.`)
  }
  return isUnreadable(found) ? refuseUnreadable(found) : found
}

/** What a review before a session stops is called. Nobody means it by "the last one". */
export const STOP_GATE_TITLE = 'Codex Stop Gate Review'

/**
 * Those whose thread could go on here: tasks of this repository, over or not. What the same session
 * has asked elsewhere is about other code.
 */
export async function listThreads(context: CommandContext): Promise<readonly Task[]> {
  const here = findCommonGitDir(context.directory)
  return (await listJobs(context)).filter(({ request: { caller, repo } }) => {
    const { kind, title } = caller.companion ?? {}
    return kind === 'task' && title !== STOP_GATE_TITLE && repo.commonDir === here
  })
}

/** The newest that can be gone on with: it is over, and has a session. */
export function findResumable(threads: readonly Task[]): Task | undefined {
  return threads.find(job => isOver(job) && job.session !== null)
}
