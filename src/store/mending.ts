/** Writing down anew what was lost: for `doctor --fix`. Each is one transaction, and may be done twice. */
import type { Kysely } from 'kysely'
import { asFence, type TaskId, type WorktreeId } from '../domain/ids.ts'
import type { RowRemains } from '../domain/restored.ts'
import {
  endedStates,
  endOfWait,
  hasEnded,
  type Task,
  type TaskState,
  type WorktreeKind,
} from '../domain/task.ts'
import type { RestoredTask } from '../ports/store.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'
import { oweInbox } from './deliveries.ts'
import { insertNote } from './events.ts'
import type { Database, Db } from './schema.ts'
import { insertTask, readTaskOr, selectTasks } from './tasks.ts'

export async function listRepositories(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('tasks').select('repository').distinct().execute()
  return rows.map(({ repository }) => repository)
}

export async function releaseLease(db: Db, worktree: WorktreeId): Promise<boolean> {
  const deleted = await db
    .deleteFrom('leases')
    .where('worktree', '=', worktree)
    .where(eb =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('tasks')
            .select('tasks.id')
            .whereRef('tasks.id', '=', 'leases.task')
            .where('tasks.state', 'not in', endedStates),
        ),
      ),
    )
    .executeTakeFirst()
  return deleted.numDeletedRows > 0n
}

export async function findLease(db: Db, worktree: WorktreeId): Promise<TaskId | undefined> {
  const row = await db
    .selectFrom('leases')
    .select('task')
    .where('worktree', '=', worktree)
    .executeTakeFirst()
  return row?.task as TaskId | undefined
}

export async function registerWorktree(
  db: Db,
  record: WorktreeRecord,
  kind: WorktreeKind,
  now: number,
): Promise<void> {
  const { id, path, commonDir } = record
  const record_json = JSON.stringify(record)
  await db
    .insertInto('worktrees')
    .values({ id, kind, path, repository: commonDir, pinned: 0, created_at: now, record_json })
    .onConflict(conflict => conflict.column('id').doUpdateSet({ path, record_json }))
    .execute()
}

export async function findRemains(db: Db, id: TaskId): Promise<RowRemains | undefined> {
  const row = await db
    .selectFrom('tasks')
    .select(['state', 'attempts', 'wait_until', 'ended_at'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { state, attempts, wait_until, ended_at } = row
  const number = (value: number | null) => (value === null ? null : Number(value))
  return { state, attempts, waitUntil: number(wait_until), endedAt: number(ended_at) }
}

export async function restoreTask(
  db: Kysely<Database>,
  restored: RestoredTask,
  now: number,
): Promise<void> {
  await db.transaction().execute(async transaction => {
    const { request, attempts, worktree } = restored
    const { id } = request
    const state = await withDependencies(transaction, restored.state, now)
    const before = await selectTasks(transaction).where('tasks.id', '=', id).executeTakeFirst()
    if (before === undefined) await insertLost(transaction, restored, state)
    else if (
      !isOutdone(
        readTaskOr(before, () => undefined),
        state,
      )
    )
      return
    await transaction
      .updateTable('tasks')
      .set({
        request_json: JSON.stringify(request),
        state: state.name,
        state_json: JSON.stringify(state),
        wait_until: state.name === 'waiting' ? endOfWait(state.wait) : null,
        ended_at: hasEnded(state) ? state.endedAt : null,
        ...(worktree === null ? {} : { worktree: worktree.id }),
      })
      .where('id', '=', id)
      .execute()
    // Whether anybody has taken note of its end may be lost with the rest.
    if (hasEnded(state)) {
      await oweInbox(transaction, request, `${id}.${state.name}`, state.name, now)
    }
    await transaction.deleteFrom('dependencies').where('task', '=', id).execute()
    if (state.name === 'waiting' && state.wait.reason === 'dependency') {
      for (const waits_for of state.wait.on) {
        await transaction.insertInto('dependencies').values({ task: id, waits_for }).execute()
      }
    }
    if (worktree !== null) {
      await registerWorktree(transaction, worktree, request.workplace.kind, now)
      if (!hasEnded(state)) {
        const lease = { task: id, fence: asFence(attempts.length), taken_at: now }
        await transaction
          .insertInto('leases')
          .values({ worktree: worktree.id, ...lease })
          .onConflict(conflict => conflict.column('worktree').doNothing())
          .execute()
      }
    }
    if (hasEnded(state)) await transaction.deleteFrom('leases').where('task', '=', id).execute()
    const what = before === undefined ? 'written down again' : 'its row was damaged, and made anew'
    await insertNote(transaction, id, null, 'task_changed', `${what}: ${state.name}`, now)
  })
}

/** A row that can be read says more than copies do, except of an end that it does not know. */
function isOutdone(task: Task | undefined, by: TaskState): boolean {
  return task === undefined || (!hasEnded(task.state) && hasEnded(by))
}

async function insertLost(
  db: Db,
  { request, attempts }: RestoredTask,
  state: TaskState,
): Promise<void> {
  const { id, createdAt, idempotency } = request
  const key = idempotency?.key
  const isTaken =
    key !== undefined &&
    (await db
      .selectFrom('tasks')
      .select('id')
      .where('idempotency_key', '=', key)
      .executeTakeFirst()) !== undefined
  const newest = Math.max(0, ...attempts.map(({ fence }) => fence))
  const lines = await db
    .selectFrom('events')
    .select(eb => eb.fn.max('seq').as('seq'))
    .where('task', '=', id)
    .executeTakeFirst()
  const plain = isTaken ? { ...request, idempotency: null } : request
  await insertTask(db, plain, state, {
    attempts: newest,
    runs: attempts.length,
    last_seq: Number(lines?.seq ?? 0),
    ...(await findNumber(db, createdAt)),
  })
  for (const { fence, mode, startedAt } of attempts) {
    await db
      .insertInto('attempts')
      .values({ task: id, fence, mode, started_at: startedAt, stdout_offset: 0, stdout_lines: 0 })
      .onConflict(conflict => conflict.columns(['task', 'fence']).doNothing())
      .execute()
  }
}

/** The one that it had, if that can be told: the order of tasks is that of their numbers. */
async function findNumber(db: Db, createdAt: number): Promise<{ number?: number }> {
  const { before } = await db
    .selectFrom('tasks')
    .select(eb => eb.fn.max('number').as('before'))
    .where('created_at', '<=', createdAt)
    .executeTakeFirstOrThrow()
  const number = Number(before ?? 0) + 1
  const taken = await db
    .selectFrom('tasks')
    .select('id')
    .where('number', '=', number)
    .executeTakeFirst()
  return taken === undefined ? { number } : {}
}

/** What it waits for may have ended, or be lost, meanwhile. */
async function withDependencies(db: Db, state: TaskState, now: number): Promise<TaskState> {
  if (state.name !== 'waiting' || state.wait.reason !== 'dependency') return state
  const on: TaskId[] = []
  for (const id of state.wait.on) {
    const row = await selectTasks(db).where('tasks.id', '=', id).executeTakeFirst()
    if (row?.state === 'succeeded') continue
    if (row !== undefined && !endedStates.some(name => name === row.state)) {
      on.push(id)
      continue
    }
    const how = row === undefined ? 'is lost' : `is ${row.state}`
    const message = `${id}, which it waited for, ${how}`
    const failure = { code: 'dependency_failed', message } as const
    return { name: 'failed', endedAt: now, failure, result: null }
  }
  return on.length === 0
    ? { name: 'queued' }
    : { name: 'waiting', wait: { reason: 'dependency', on } }
}
