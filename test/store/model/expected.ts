/**
 * What the store must hold, said anew and without SQL: tasks, who claims which worktree, whose account
 * is limited, what is owed. The states follow the transition table; everything else is this file's own
 * word, so that a mistake of the store is not made twice.
 */
import { CLOCK_SLACK_MS } from '../../../src/domain/backoff.ts'
import { asFence, type TaskId, type WorktreeId } from '../../../src/domain/ids.ts'
import { endOfWait, hasEnded, type TaskRequest, type TaskState } from '../../../src/domain/task.ts'
import { nextState, type Transition } from '../../../src/domain/transitions.ts'

export interface ExpectedTask {
  readonly request: TaskRequest
  state: TaskState
  since: number
  attempts: number
  /** Questions that were answered, by fence and id. */
  readonly answered: Set<string>
}

export interface ExpectedWorktree {
  leasedTo: TaskId | null
  retiring: boolean
}

interface Limit {
  readonly endsAt: number
  probe: TaskId | null
}

export class Expected {
  now = 1_000_000
  /** In the order in which they were handed in. */
  readonly tasks = new Map<TaskId, ExpectedTask>()
  readonly worktrees = new Map<WorktreeId, ExpectedWorktree>()
  readonly limits = new Map<string, Limit>()
  readonly owed = new Set<string>()

  get all(): readonly ExpectedTask[] {
    return [...this.tasks.values()]
  }

  require(id: TaskId): ExpectedTask {
    const task = this.tasks.get(id)
    if (task === undefined) throw new Error(`nobody has handed in ${id}`)
    return task
  }

  /** Whom a claim takes now: what was begun before what was not, and nobody whose account is limited. */
  nextToClaim(): ExpectedTask | undefined {
    const free = this.all.filter(task => isFree(task, this))
    const due = free
      .flatMap(task => {
        const at = task.state.name === 'waiting' ? endOfWait(task.state.wait) : null
        const isDue = at !== null && (at <= this.now || task.since > this.now + CLOCK_SLACK_MS)
        return isDue ? [{ task, at }] : []
      })
      .sort((a, b) => a.at - b.at)
    const queued = free
      .filter(({ state }) => state.name === 'queued')
      .sort((a, b) => b.request.priority - a.request.priority)
    return due[0]?.task ?? queued[0]
  }

  claim(task: ExpectedTask): void {
    task.attempts += 1
    this.move(task, { kind: 'attempt_claimed', fence: asFence(task.attempts) })
  }

  /** False: it is refused, and nothing happened. */
  move(task: ExpectedTask, event: Transition): boolean {
    const to = nextState(task.state, event, asFence(task.attempts), this.now)
    if (to === 'refused') return false
    if (to === task.state) return true
    task.state = to
    task.since = this.now
    noteLimit(task, event, this)
    if (to.name === 'needs_input') {
      this.owed.add(`${task.request.id}.needs_input.${to.fence}.${to.question.id}`)
    }
    if (hasEnded(to)) end(task, this)
    return true
  }
}

function isFree({ request }: ExpectedTask, expected: Expected): boolean {
  const limit = expected.limits.get(request.account ?? '')
  if (limit === undefined) return true
  return limit.endsAt <= expected.now && (limit.probe === null || limit.probe === request.id)
}

function end({ request: { id }, state }: ExpectedTask, expected: Expected): void {
  expected.owed.add(`${id}.${state.name}`)
  for (const worktree of expected.worktrees.values()) {
    if (worktree.leasedTo === id) worktree.leasedTo = null
  }
  for (const other of expected.all) {
    if (other.state.name !== 'waiting' || other.state.wait.reason !== 'dependency') continue
    if (!other.state.wait.on.includes(id)) continue
    const on = other.state.wait.on.filter(one => one !== id)
    if (state.name !== 'succeeded') {
      const failure = { code: 'dependency_failed', message: '' } as const
      expected.move(other, { kind: 'dependency_failed', failure })
    } else if (on.length === 0) expected.move(other, { kind: 'wait_ended' })
    else other.state = { name: 'waiting', wait: { reason: 'dependency', on } }
  }
}

/** One task of a limited account tries; it is told by what becomes of that one how to go on. */
function noteLimit(
  { request: { id, account }, state }: ExpectedTask,
  event: Transition,
  expected: Expected,
): void {
  if (state.name === 'waiting' && state.wait.reason === 'usage_limit') {
    const endsAt = event.kind === 'wait_ended' ? expected.now : state.wait.until
    expected.limits.set(state.wait.account, { endsAt, probe: null })
    return
  }
  const limit = expected.limits.get(account ?? '')
  if (account === null || limit === undefined) return
  if (state.name === 'starting') limit.probe = id
  else if (limit.probe !== id) return
  else if (state.name === 'succeeded') expected.limits.delete(account)
  else if (state.name === 'waiting' || hasEnded(state)) limit.probe = null
}
