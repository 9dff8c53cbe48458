/**
 * The JSON columns of the store as they are read. That they are JSON is seen here; that they have
 * the right shape is checked by `checkIntegrity` (`column-schemas.ts`).
 */
import type { TaskEventBody } from '../domain/agent-events.ts'
import type { Budget } from '../domain/budget.ts'
import { AppError } from '../domain/errors.ts'
import type { Subscriber } from '../domain/notice.ts'
import type { Usage } from '../domain/outcome.ts'
import type { RunningSnapshot, SnapshotContent } from '../domain/snapshot.ts'
import { plainRequest, type Taken, type TaskRequest, type TaskState } from '../domain/task.ts'
import type { Verification } from '../domain/verify.ts'
import type { Translation } from '../ports/agent.ts'
import type { SpareWorktree, WorktreeRecord } from '../ports/worktrees.ts'

/** Undefined: it is no JSON, whatever it is instead. */
function parse<T>(json: string): T | undefined {
  try {
    return JSON.parse(json) as T
  } catch {
    return undefined
  }
}

/** What a row of `tasks` must have for the rest of it to mean anything. */
interface TaskColumns {
  readonly id: string
  readonly request_json: string
  readonly state: string
  readonly state_json: string
}

/** Damage is that row's own: whoever reads many goes on with the others. */
function damaged(id: string, column: string): AppError {
  return new AppError('task_unreadable', `the row of task ${id} is damaged: ${column}`, {
    hint: `holdfast doctor --fix makes it anew; prompt, output and patch are in tasks/${id} of the state directory`,
  })
}

/** One that was written by an older Holdfast says less. */
export function readRequest({ id, request_json }: TaskColumns): TaskRequest {
  const written = parse<Partial<TaskRequest> | null>(request_json)
  if (written?.id !== id) throw damaged(id, 'request_json')
  return { ...plainRequest(written.id), ...written } as TaskRequest
}

export function readState({ id, state, state_json }: TaskColumns): TaskState {
  const written = parse<TaskState | null>(state_json)
  if (written?.name !== state) throw damaged(id, 'state_json')
  return written
}

/** What is known of a worktree decides what may be done to it: never guessed. */
export function readWorktreeRecord(id: string, json: string): WorktreeRecord {
  const record = parse<WorktreeRecord | null>(json)
  if (record?.id === id) return record
  throw new AppError('task_unreadable', `the row of worktree ${id} is damaged: record_json`, {
    hint: 'holdfast doctor --fix makes it anew from the worktree itself',
  })
}

/** An older one in its place would bring back older work: never guessed. */
export function readSnapshotContent(
  worktree: string,
  number: number,
  json: string,
): SnapshotContent {
  const content = parse<Partial<SnapshotContent> | null>(json)
  if (content?.state?.commit !== undefined) return content as SnapshotContent
  throw new AppError('task_unreadable', `the row of snapshot ${number} of ${worktree} is damaged`, {
    hint: `holdfast doctor --fix; its files are in the repository: git show refs/holdfast/${worktree}/snapshot/${number}`,
  })
}

/** Null: it is dropped. */
export function readSpareWorktree(json: string): SpareWorktree | null {
  const spare = parse<Partial<SpareWorktree>>(json)
  return spare?.record === undefined ? null : (spare as SpareWorktree)
}

/** Null: not known; then it counts as not taken, and nothing is given up for it. */
export const readTaken = (json: string) => parse<Taken>(json) ?? null

/** Null: not known; the files of it stay where they are. */
export const readRunningSnapshot = (json: string) => parse<RunningSnapshot>(json) ?? null

/** Null: not known; then it was not run. */
export const readVerification = (json: string) => parse<Verification>(json) ?? null

/** Null: not known; then it holds nothing up. */
export const readBudget = (json: string) => parse<Budget>(json) ?? null

/** Null: not known. */
export const readUsage = (json: string) => parse<Usage>(json) ?? null

/** Null: not known; then nobody can be told. */
export function readSubscriber(channel: string, json: string): Subscriber | null {
  const written = parse<Subscriber | null>(json) ?? null
  return written?.kind === channel ? written : null
}

/** Undefined: the output is read again from its beginning. */
export const readTranslation = (json: string) => parse<Translation>(json)

export function readEventBody(json: string): TaskEventBody {
  const lost = 'this line of the log is damaged in the store; see logs --raw'
  return parse<TaskEventBody>(json) ?? { kind: 'warning_given', message: lost }
}
