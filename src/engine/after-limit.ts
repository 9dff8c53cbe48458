/** What follows when an account is used up: another agent goes on, or the task waits for the reset. */
import { AppError } from '../domain/errors.ts'
import type { Failure } from '../domain/outcome.ts'
import type { Task } from '../domain/task.ts'
import type { Transition } from '../domain/transitions.ts'
import type { Agent, Environment } from '../ports/agent.ts'

/** Where nobody said when the limit ends, it is tried so often: a refused request costs nothing. */
const UNKNOWN_RESET_MS = 15 * 60_000
/** By a clock that is a little ahead of theirs, it would be refused once more. */
const RESET_SLACK_MS = 2_000
/** A reset that has passed when its refusal is told lies in a clock that is wrong: never at once. */
const PASSED_RESET_MS = 30_000

interface LimitContext {
  readonly findAgent: (name: string) => Promise<Agent>
  readonly readEnvironment: () => Promise<Environment>
  readonly now: number
}

export async function afterLimit(
  task: Task,
  failure: Failure,
  resetsAt: number | null,
  context: LimitContext,
): Promise<Transition> {
  const { now } = context
  const { failuresInRow } = task
  const successor = await findSuccessor(task, context)
  if (successor !== undefined) {
    const wait = { reason: 'backoff', until: now, failure } as const
    return { kind: 'attempt_interrupted', wait, failuresInRow, successor }
  }
  const toldUntil = (resetsAt ?? now + UNKNOWN_RESET_MS) + RESET_SLACK_MS
  const until = toldUntil > now ? toldUntil : now + PASSED_RESET_MS
  const account = task.account ?? task.agent
  const wait = { reason: 'usage_limit', until, failure, account } as const
  return { kind: 'attempt_interrupted', wait, failuresInRow }
}

/** The next of those to fall back to that is installed and logged in; the others are passed over. */
async function findSuccessor(
  { request, fallbacks }: Task,
  { findAgent, readEnvironment }: LimitContext,
) {
  let turnedTo = fallbacks
  for (const name of request.fallback.slice(fallbacks)) {
    turnedTo++
    const environment = await readEnvironment()
    const agent = await findAgent(name)
    if (!(await isReady(agent, environment))) continue
    return { agent: name, account: await findAccount(agent, environment), fallbacks: turnedTo }
  }
  return undefined
}

async function isReady(agent: Agent, environment: Environment): Promise<boolean> {
  try {
    await agent.findInstallation(environment, [], '/')
    return true
  } catch (error) {
    if (error instanceof AppError) return false
    throw error
  }
}

/** Whose limits an agent meets: null for one that has none to meet. */
export async function findAccount(agent: Agent, environment: Environment): Promise<string | null> {
  if (!agent.capabilities.takesPrompt) return null
  return (await agent.findAccount?.(environment)) ?? agent.name
}
