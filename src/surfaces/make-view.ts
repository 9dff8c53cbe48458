/** Fills the documents of `view.ts` from what we know. */
import type { TaskEvent } from '../domain/agent-events.ts'
import type { GroupId } from '../domain/group.ts'
import type { WorktreeId } from '../domain/ids.ts'
import { describeTarget, type ReviewTarget } from '../domain/review.ts'
import type { SetUp, SetUpCommand } from '../domain/set-up.ts'
import {
  type Asked,
  askedBy,
  type Base,
  baseTreeCommit,
  type Caller,
  endOfWait,
  hasEnded,
  resultOf,
  type Task,
  type TaskRequest,
  type Wait,
} from '../domain/task.ts'
import { describeTie } from '../domain/tie.ts'
import { describeVerify } from '../domain/verify.ts'
import type { JudgedState } from '../engine/judge-now.ts'
import type { UnreadableTask } from '../ports/store.ts'
import type { WorkerInfo } from '../ports/worker-presence.ts'
import type { EventView, ReviewView, TaskView, UnreadableView, WorkerView } from './view.ts'

export const iso = (time: number) => new Date(time).toISOString()
const isoOrNull = (time: number | null) => (time === null ? null : iso(time))

export function viewCaller({ kind, id, subagent, login, directory }: Caller): TaskView['caller'] {
  return { kind, id, subagent: subagent ?? null, login: login ?? null, directory }
}

/** Of groups, the worktrees of those that were picked: who follows a member works in the same. */
export type Picked = ReadonlyMap<GroupId, ReadonlySet<WorktreeId>>

export function viewTask(task: Task, judged: JudgedState, picked: Picked = new Map()): TaskView {
  const { request, state } = task
  const { changes } = request.base
  const failure = state.name === 'failed' ? state.failure : null
  const result = resultOf(state)
  return {
    id: request.id,
    name: request.name,
    agent: task.agent,
    fallback: [...request.fallback],
    state: judged.name,
    stateAsOf: iso(judged.asOf),
    reason: judged.remark ?? reasonOf(task),
    question: judged.name === 'needs_input' ? viewQuestion(askedBy(task)) : null,
    attempt: task.attempts,
    session: task.session,
    caller: viewCaller(request.caller),
    repo: { ...request.repo },
    base: {
      commit: request.base.commit,
      changes:
        changes === null
          ? null
          : {
              snapshot: changes.snapshot,
              modified: changes.modified,
              untracked: changes.untracked,
              deleted: changes.deleted,
              leftOut: [...changes.leftOut],
            },
    },
    start: request.start && {
      from: request.start.from,
      commit: request.start.commit,
      takenAt: iso(request.start.takenAt),
    },
    snapshot: task.snapshot && {
      takenAt: iso(task.snapshot.takenAt),
      leftOut: [...task.snapshot.leftOut],
    },
    setUp: viewSetUp(request.setUp),
    review: viewReviewRequest(request),
    model: request.model,
    effort: request.effort,
    permissions: { ...request.permissions },
    priority: request.priority,
    after: [...request.after],
    timeoutMs: request.timeoutMs,
    budget: task.budget,
    delegation: request.delegation,
    memoryBytes: request.memoryBytes,
    endsWith: request.tie === null ? null : describeTie(request.tie, request.caller),
    follows: request.follows,
    opened: request.opened?.by ?? null,
    followedBy: task.followedBy,
    group: request.group,
    picked: viewPicked(task, picked),
    verify: viewVerify(task),
    worktree: viewWorktree(task.worktree),
    putAway: isoOrNull(task.putAwayAt),
    messages: { ...task.messages },
    createdAt: iso(request.createdAt),
    startedAt: isoOrNull(task.startedAt),
    endedAt: hasEnded(state) ? iso(state.endedAt) : null,
    waitingUntil: isoOrNull(waitsUntil(task)),
    usage: task.usage,
    result:
      result === null
        ? null
        : {
            ...result,
            leftOut: [...result.leftOut],
            repositories: [...(result.repositories ?? [])],
          },
    taken: isoOrNull(task.taken?.at ?? null),
    error:
      failure === null
        ? null
        : { code: failure.code, message: failure.message, hint: failure.hint ?? null },
  }
}

function viewPicked({ request: { group, workplace } }: Task, picked: Picked): boolean | null {
  const chosen = group === null ? undefined : picked.get(group)
  return chosen === undefined || chosen.size === 0 ? null : chosen.has(workplace.id)
}

/** One that was broken off for what its agent was told is as good as not begun. */
function standing({ verification, attempts, state }: Task): Task['verification'] {
  const isBrokenOff = verification?.fence !== attempts || state.name === 'waiting'
  return verification?.state === 'running' && isBrokenOff ? null : verification
}

function viewVerify(task: Task): TaskView['verify'] {
  const { verify } = task.request
  if (verify === null) return null
  const verification = standing(task)
  const isOver = verification !== null && verification.state !== 'running'
  // It was cancelled, or its time was up: then it was ended with its task.
  const isCutOff = verification !== null && !isOver && hasEnded(task.state)
  const whyNot = verify.named?.trusted === false ? 'not trusted' : null
  const how = isOver && verification.state !== 'passed' ? verification.how : whyNot
  return {
    command: [...verify.argv],
    limitMs: verify.limitMs,
    state: isCutOff ? 'unknown' : (verification?.state ?? 'not_run'),
    how: isCutOff ? 'it was ended with its task' : how,
    output: isOver ? verification.output : null,
    endedAt: isOver ? iso(verification.endedAt) : null,
    failedBefore: task.verification?.failedBefore ?? 0,
  }
}

function viewReviewRequest({ review, base }: TaskRequest): TaskView['review'] {
  if (review === null) return null
  const { kind, focus } = review
  return { kind, focus, target: viewReviewTarget(review.target, base) }
}

export function viewReviewTarget(target: ReviewTarget, base: Base): ReviewView['target'] {
  return {
    scope: target.kind,
    label: describeTarget(target),
    base: target.kind === 'branch' ? target.base : null,
    task: target.kind === 'task' ? target.task : null,
    from: target.kind === 'uncommitted' ? base.commit : target.from,
    to: baseTreeCommit(base),
  }
}

function viewWorktree(worktree: Task['worktree']): TaskView['worktree'] {
  if (worktree === null) return null
  const { path, kind, pinned, port } = worktree
  return { path, kind, pinned, port }
}

function viewQuestion(asked: Asked | null): TaskView['question'] {
  if (asked === null) return null
  const { text, options } = asked.question
  return { id: asked.name, text, options: options.map(option => ({ ...option })) }
}

/** Null: nobody can tell, or it does not wait. */
function waitsUntil({ state, limitedUntil }: Task): number | null {
  if (state.name === 'queued') return limitedUntil
  return state.name === 'waiting' ? endOfWait(state.wait) : null
}

function viewSetUp(setUp: SetUp | null): TaskView['setUp'] {
  if (setUp === null) return null
  const { included, command, cleanUp = null, directories = [] } = setUp
  return {
    included: included && { ...included, leftOut: [...included.leftOut] },
    command: command && viewCommand(command),
    cleanUp: cleanUp && viewCommand(cleanUp),
    directories: directories.map(({ path, way }) => ({ path, way })),
  }
}

const viewCommand = ({ argv, scripts, trusted }: SetUpCommand) => ({
  argv: [...argv],
  scripts: [...scripts],
  trusted,
})

/** Why a task is where it is, in one line; null where the state says it. */
function reasonOf(task: Task): string | null {
  const { state, request, account, limitedUntil } = task
  switch (state.name) {
    case 'running':
      return request.verify !== null && standing(task)?.state === 'running'
        ? `verifying: ${describeVerify(request.verify)}`
        : null
    case 'starting': {
      const command = request.setUp?.command
      return command?.trusted === true ? `set-up: ${command.argv.join(' ')}` : null
    }
    case 'queued':
      return limitedUntil === null
        ? 'waits for a free slot'
        : `waits for ${account}, whose usage limit was met`
    case 'waiting':
      return describeWait(state.wait)
    case 'needs_input':
      return state.question.text
    case 'failed':
      return `${state.failure.code}: ${state.failure.message}`
    case 'cancelling':
    case 'cancelled':
      return state.why ?? null
    default:
      return null
  }
}

function describeWait(wait: Wait): string {
  if (wait.reason === 'dependency') return `waits for ${wait.on.join(', ')}`
  if (wait.reason === 'message') return 'it was told more, and goes on'
  return `${wait.reason} after ${wait.failure.code}: ${wait.failure.message}`
}

export function viewWorker(info: WorkerInfo | 'unnamed' | undefined, tasks: number): WorkerView {
  if (info === undefined) {
    return { state: 'stopped', pid: null, version: null, startedAt: null, tasks }
  }
  if (info === 'unnamed') {
    return { state: 'running', pid: null, version: null, startedAt: null, tasks }
  }
  const { identity, version, startedAt, isSilent } = info
  return {
    state: isSilent ? 'silent' : 'running',
    pid: identity.pid,
    version,
    startedAt: iso(startedAt),
    tasks,
  }
}

export function viewUnreadable(task: UnreadableTask, directory: string): UnreadableView {
  const { id, name, agent, state, problem } = task
  return { id, name, agent, state, createdAt: iso(task.createdAt), directory, problem }
}

export function viewEvent({ seq, at, fence, body }: TaskEvent): EventView {
  return { seq, at: iso(at), attempt: fence, ...body }
}
