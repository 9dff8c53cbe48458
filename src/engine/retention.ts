/** Keeps the number of worktrees bounded: what may go is put away, and can be brought back. */
import { messageOf } from '../domain/errors.ts'
import { parseTaskId, type WorktreeId } from '../domain/ids.ts'
import {
  type Candidate,
  type Decision,
  decideRetention,
  type RetentionPolicy,
} from '../domain/retention.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { isUntaken } from '../domain/untaken.ts'
import type { StoredWorktree } from '../ports/store.ts'
import { type PutAwayPorts, putAway } from './put-away.ts'
import { isStoreTrouble } from './trouble.ts'

/** What is to become of a worktree. */
export interface Fate extends Decision {
  readonly worktree: StoredWorktree
  /** The newest task that worked in it; null: none is known. */
  readonly task: Task | null
  /** What it takes on the disk; null: not measured yet. */
  readonly bytes: number | null
}

/** All worktrees that are known, with what decides over them. */
export interface Known {
  readonly worktree: StoredWorktree
  readonly candidate: Candidate
  readonly task: Task | null
}

/** Looks only; nothing is measured. */
export async function lookAtWorktrees(
  tasks: readonly Task[],
  { store, worktrees }: Pick<PutAwayPorts, 'store' | 'worktrees'>,
): Promise<readonly Known[]> {
  const byWorktree = groupByWorktree(tasks)
  const known: Known[] = []
  for (const worktree of await store.listWorktrees()) {
    const members = byWorktree.get(worktree.id) ?? []
    const candidate = await describe(worktree, members, worktrees)
    known.push({ worktree, candidate, task: members[0] ?? null })
  }
  return known
}

/** The oldest first. `over`: see `decideRetention`. */
export function fatesOf(
  known: readonly Known[],
  policy: RetentionPolicy,
  now: number,
  over: number,
): readonly Fate[] {
  const byId = new Map(known.map(one => [one.worktree.id, one]))
  const candidates = known.map(({ candidate }) => candidate)
  return decideRetention(candidates, policy, now, over).flatMap(decision => {
    const one = byId.get(decision.id)
    if (one === undefined) return []
    const { worktree, task, candidate } = one
    return [{ ...decision, worktree, task, bytes: candidate.bytes }]
  })
}

/** The newest task first. */
function groupByWorktree(tasks: readonly Task[]): Map<WorktreeId, Task[]> {
  const found = new Map<WorktreeId, Task[]>()
  for (const task of tasks) {
    const { id } = task.request.workplace
    const members = found.get(id) ?? []
    members.push(task)
    found.set(id, members)
  }
  for (const members of found.values()) {
    members.sort((a, b) => b.request.createdAt - a.request.createdAt)
  }
  return found
}

async function describe(
  { id, kind, pinned, retiring, leasedTo, commonDir, record, madeAt }: StoredWorktree,
  tasks: readonly Task[],
  worktrees: PutAwayPorts['worktrees'],
): Promise<Candidate> {
  const isInUse = leasedTo !== null || tasks.some(({ state }) => !hasEnded(state))
  const times = tasks.map(({ stateSince, request }) => Math.max(stateSince, request.createdAt))
  // One that follows may have ended before it came to anything: what it went on from is still there.
  const newest = tasks.find(hasResult) ?? tasks[0]
  return {
    id,
    kind,
    pinned,
    retiring,
    // A worktree of which nothing is known is not ours to judge.
    isInUse: isInUse || record === null,
    idleSince: Math.max(madeAt, ...times),
    bytes: null,
    isUntaken:
      newest !== undefined && !isInUse && kind === 'managed'
        ? await isNowhereElse(newest, commonDir, worktrees)
        : // One that bears the id of a task, and of which that is not known, is not ours to judge. What no
          // task has asked for is kept as a snapshot when it goes.
          newest === undefined && parseTaskId(id) !== undefined,
  }
}

const hasResult = ({ state }: Task) => hasEnded(state) && state.result?.commit != null

/** Nobody took its changes by our means, and the repository's checkout does not have them either. */
async function isNowhereElse(
  { request, state, taken }: Task,
  commonDir: string,
  worktrees: PutAwayPorts['worktrees'],
): Promise<boolean> {
  const result = hasEnded(state) ? state.result : null
  if (!isUntaken({ result, taken, worktree: request.workplace })) return false
  if (result?.commit == null || (result.repositories ?? []).length > 0) return true
  try {
    return !(await worktrees.isContained(commonDir, result.commit))
  } catch {
    // It cannot be seen: then it is not given up.
    return true
  }
}

export interface Retained {
  readonly id: WorktreeId
  /** Null: it was put away. */
  readonly problem: string | null
}

/** Puts away what is to go, one after the other, until `leave`. What cannot be proven stays. */
export async function retain(
  fates: readonly Fate[],
  ports: PutAwayPorts,
  leave?: AbortSignal,
): Promise<readonly Retained[]> {
  const done: Retained[] = []
  for (const { id, goes, worktree } of fates) {
    if (!goes) continue
    if (leave?.aborted === true) break
    // What was planned may be minutes old.
    if ((await ports.store.findWorktree(id))?.pinned === true && !worktree.pinned) {
      done.push({ id, problem: 'it was pinned meanwhile' })
      continue
    }
    try {
      await putAway(id, { ...ports, leave }, [worktree.kind])
      done.push({ id, problem: null })
    } catch (error) {
      if (isStoreTrouble(error)) throw error
      done.push({ id, problem: messageOf(error) })
    }
  }
  return done
}
