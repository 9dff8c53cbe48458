/**
 * Takes over a session that Holdfast did not start. Whether it can be had is settled from what its
 * agent keeps, before anything is written; that no two tasks have it at once the store holds
 * (`submitTask`).
 */
import { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import { shellWord } from '../domain/shell-word.ts'
import { activeStates } from '../domain/task.ts'
import type { Agent, Environment, KeptSession } from '../ports/agent.ts'
import type { Store } from '../ports/store.ts'

interface SessionWish {
  readonly session: SessionId
  readonly agent: Agent
  /** In which its agent would find it. */
  readonly environment: Environment
  /** Where its task's agent will work; null: in a worktree that stands elsewhere. */
  readonly directory: string | null
  /** A task that was handed in under it before may have the session: it is this one. */
  readonly idempotencyKey: string | null
}

/**
 * The session as its agent keeps it. Refuses with `no_such_session`, with `leased` where a task or a
 * process has it, and with `refused_in_state` where it cannot go on in that directory.
 */
export async function requireSession(
  { session, agent, environment, directory, idempotencyKey }: SessionWish,
  store: Store,
): Promise<KeptSession> {
  const { name } = agent
  if (agent.capabilities.continues !== 'session' || agent.keptSessions === undefined) {
    throw new AppError('bad_usage', `${name} has no sessions that a task could take over`, {
      hint: 'those of codex, claude, opencode and pi can be: -a AGENT',
    })
  }
  const twin = await findHolder(session, idempotencyKey, store)
  if (twin !== undefined) return { session, directory: null, openIn: 'nobody' }
  const kept = agent.keptSessions.find(session, environment)
  if (kept === undefined) {
    const task = (await store.listTasks({ agent: name })).find(one => one.session === session)
    throw new AppError('no_such_session', `${name} has no session ${session}`, {
      hint:
        task === undefined
          ? 'name whose it is: -a AGENT; the environment says where that keeps them'
          : `it is in a home of its own: holdfast resume ${task.request.id}`,
    })
  }
  if (typeof kept.openIn === 'object') {
    throw new AppError('leased', `the session ${session} is open in process ${kept.openIn.pid}`, {
      hint: `end it there first; what it is: ps -p ${kept.openIn.pid} -o args`,
    })
  }
  refuseBound(kept, agent, directory)
  return kept
}

/** The very task that is asked for again, if that has it. Refuses where another does, or waits to. */
async function findHolder(session: SessionId, key: string | null, store: Store) {
  const states = [...activeStates, 'queued', 'waiting'] as const
  const holder = (await store.listTasks({ states })).find(one => one.session === session)
  if (holder === undefined) return undefined
  const { id, idempotency } = holder.request
  if (key !== null && idempotency?.key === key) return holder
  throw new AppError('leased', `the session ${session} is in use by task ${id}`, {
    hint: `holdfast wait ${id}, or holdfast cancel ${id}`,
  })
}

function refuseBound({ session, directory: home }: KeptSession, agent: Agent, at: string | null) {
  if (agent.planSessionMove !== undefined || home === null || home === at) return
  const { name } = agent
  throw new AppError(
    'refused_in_state',
    `${name} binds a session to the directory that it was begun in: ${home}`,
    { hint: `cd ${shellWord(home)} && holdfast run -a ${name} --session ${session} --in-place …` },
  )
}
