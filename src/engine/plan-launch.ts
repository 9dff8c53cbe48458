/** What the agent of an attempt is started with, and what it is told. */
import { showsHearing } from '../domain/activity.ts'
import type { SessionId, TaskId } from '../domain/ids.ts'
import type { Failure } from '../domain/outcome.ts'
import type { Permissions } from '../domain/permissions.ts'
import type { AgentInstallation, AgentLaunch, Environment, LaunchRequest } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { isNews, readAllSaid } from './all-said.ts'
import type { FollowPorts, Underway } from './follow-attempt.ts'
import { describeHandOver, describeStart } from './hand-over.ts'
import { planOpenedLaunch } from './open.ts'

/** Where it is started. */
interface LaunchPlace {
  readonly worktree: WorktreeRecord
  readonly workingDirectory: string
  readonly environment: Environment
}

/** What it is told besides its prompt. */
interface Told {
  /** The session that goes on; null: it begins anew. */
  readonly resumed: SessionId | null
  readonly interruptedBy: Failure | null
  readonly messages: readonly string[]
}

/** `installation`: null for an editor. */
export async function planLaunch(
  underway: Underway,
  installation: AgentInstallation | null,
  permissions: Permissions,
  at: LaunchPlace,
  told: Told,
  ports: FollowPorts,
): Promise<AgentLaunch> {
  const { task, attempt, agent } = underway
  const { store, files, clock } = ports
  const { request } = task
  const { environment, workingDirectory } = at
  const place = { worktree: at.worktree.path, workingDirectory }
  const sessionToBe = clock.uuid()
  if (request.opened !== null || installation === null) {
    return planOpenedLaunch(underway, { ...place, sessionToBe }, installation, environment)
  }
  const { resumed, interruptedBy, messages } = told
  // It knows none of the other's names.
  const isSuccessor = task.fallbacks > 0
  const schema = request.outputSchema
  return agent.planLaunch({
    installation,
    mode:
      resumed !== null
        ? await describeResume(underway, resumed, interruptedBy, store)
        : { kind: 'fresh', sessionToBe },
    prompt:
      resumed === null
        ? await readAllSaid(task, { store, files })
        : await files.readPrompt(attempt.task),
    handOver:
      attempt.mode === 'fresh' || request.start !== null
        ? await describeBefore(underway, at.worktree, interruptedBy, ports)
        : null,
    argv: request.argv,
    model: isSuccessor ? null : request.model,
    effort: isSuccessor ? null : request.effort,
    permissions,
    asks: request.asks,
    messages,
    ...(request.oneShot && { oneShot: true }),
    ...(schema !== null && {
      outputSchema: {
        json: schema,
        file: await files.keepOutputSchema(attempt.task, schema),
      },
    }),
    ...place,
    environment,
  })
}

/** What a fresh session is told of those who were at work there before it; null: nobody was. */
async function describeBefore(
  { task }: Underway,
  worktree: WorktreeRecord,
  interruptedBy: Failure | null,
  ports: FollowPorts,
): Promise<string | null> {
  if (task.fallbacks > 0) return await describeHandOver(task, worktree, interruptedBy, ports)
  const { start } = task.request
  return start === null ? null : describeStart(start)
}

/** One that was named with a prompt of its own came to an end before, and is told that prompt. */
async function describeResume(
  { task, attempt }: Underway,
  session: SessionId,
  interruptedBy: Failure | null,
  store: Store,
): Promise<Extract<LaunchRequest['mode'], { kind: 'resume' }>> {
  const { request } = task
  // Its turn had ended well, and it is told more.
  if (interruptedBy === null && attempt.fence > 1) return { kind: 'resume', session, why: null }
  const why = interruptedBy?.message ?? (await whatStopped(request.follows, store))
  const isNew = isNews(request) && !(await wasPromptHeard(request.id, store))
  return request.session === session && isNew
    ? { kind: 'resume', session, why, saysPrompt: true }
    : { kind: 'resume', session, why: why ?? 'unknown' }
}

/** So soon an attempt that was given it shows that it was. */
const FIRST_EVENTS = 500

async function wasPromptHeard(id: TaskId, store: Store): Promise<boolean> {
  const first = await store.listEvents(id, 0, FIRST_EVENTS)
  return first.some(({ body }) => showsHearing(body))
}

/** What stopped a task that has ended; null: nothing did, or there is none. */
async function whatStopped(id: TaskId | null, store: Store): Promise<string | null> {
  const before = id === null ? undefined : await store.findTask(id)
  // Its agent had nothing to go on with.
  if (before?.request.opened != null) return null
  if (before?.state.name === 'failed') return before.state.failure.message
  return before?.state.name === 'cancelled' ? 'it was cancelled' : null
}
