/** Writing a task down, with all that it takes hold of in the same moment. */
import type { Kysely, Transaction } from 'kysely'
import { reach } from '../domain/crash-points.ts'
import { MOST_DELEGATED } from '../domain/delegation.ts'
import { AppError } from '../domain/errors.ts'
import { currentMembers } from '../domain/group.ts'
import type { TaskId } from '../domain/ids.ts'
import {
  endedStates,
  hasEnded,
  type Idempotency,
  type Task,
  type TaskRequest,
  type TaskState,
} from '../domain/task.ts'
import type { SeenWorktree } from '../ports/store.ts'
import { findSaid } from './messages.ts'
import type { Database, Db } from './schema.ts'
import { findTask, findTwin, insertTask, listTasks } from './tasks.ts'
import { newestTaskIn } from './worktrees.ts'

/** See `Store.submitTask`. */
export async function submitTask(
  db: Kysely<Database>,
  request: TaskRequest,
  seen: SeenWorktree | undefined,
  isWhole: () => boolean = () => true,
): Promise<Task> {
  return await db.transaction().execute(async transaction => {
    if (!isWhole()) throw abandoned()
    const { idempotency } = request
    const twin = idempotency === null ? undefined : await findDone(transaction, idempotency)
    return twin ?? (await writeTask(transaction, request, seen))
  })
}

/** What was handed in under the same key, or the task that was told it. */
async function findDone(db: Db, idempotency: Idempotency): Promise<Task | undefined> {
  const twin = await findTwin(db, idempotency)
  if (twin !== undefined) return twin
  const said = await findSaid(db, idempotency)
  return said && (await findTask(db, said.task))
}

/** See `Store.submitGroup`. */
export async function submitGroup(
  db: Kysely<Database>,
  requests: readonly TaskRequest[],
  isWhole: (id: TaskId) => boolean = () => true,
): Promise<readonly Task[]> {
  return await db.transaction().execute(async transaction => {
    if (!requests.every(({ id }) => isWhole(id))) throw abandoned()
    const idempotency = requests[0]?.idempotency ?? null
    const twin = idempotency === null ? undefined : await findDone(transaction, idempotency)
    if (twin !== undefined) return await listGroup(transaction, twin)
    const written: Task[] = []
    for (const request of requests) written.push(await writeTask(transaction, request, undefined))
    return written
  })
}

async function listGroup(db: Db, task: Task): Promise<readonly Task[]> {
  const { group } = task.request
  if (group === null) return [task]
  return currentMembers(await listTasks(db, { group }, () => undefined))
}

function abandoned(): AppError {
  return new AppError('refused_in_state', 'it took so long that it was taken for abandoned', {
    hint: 'hand it in again',
  })
}

async function writeTask(
  db: Transaction<Database>,
  request: TaskRequest,
  seen: SeenWorktree | undefined,
): Promise<Task> {
  await requireRoom(db, request)
  await requireFreeSession(db, request)
  const on = await unmetDependencies(db, request.after)
  const state: TaskState =
    on.length === 0 ? { name: 'queued' } : { name: 'waiting', wait: { reason: 'dependency', on } }
  await insertTask(db, request, state)
  for (const waits_for of on) {
    await db.insertInto('dependencies').values({ task: request.id, waits_for }).execute()
  }
  if (request.workplace.kind !== 'managed' || request.workplace.id !== (request.id as string)) {
    await leaseAtOnce(db, request, seen ?? { record: null, newestTask: null })
  }
  reach('submission.row-written')
  const task = await findTask(db, request.id)
  if (task === undefined) throw new Error('a task that was just written is there')
  return task
}

/** See `Store.unlessKnown`. */
export async function unlessKnown(
  db: Kysely<Database>,
  task: TaskId,
  work: () => Promise<void>,
): Promise<boolean> {
  return await db.transaction().execute(async transaction => {
    const known = await transaction
      .selectFrom('tasks')
      .select('id')
      .where('id', '=', task)
      .executeTakeFirst()
    if (known !== undefined) return false
    await work()
    return true
  })
}

/** A task whose agent delegates without end must not fill the machine. */
async function requireRoom(db: Db, { delegation }: TaskRequest): Promise<void> {
  if (delegation === null) return
  const { count } = await db
    .selectFrom('tasks')
    .select(eb => eb.fn.countAll().as('count'))
    .where('root', '=', delegation.root)
    .executeTakeFirstOrThrow()
  if (Number(count) < MOST_DELEGATED) return
  throw new AppError(
    'delegation_limit',
    `${delegation.root} has delegated ${count} tasks, which is the most that one task may`,
    { hint: 'do the rest in this task' },
  )
}

/** Two agents that write one session at once leave neither's. */
async function requireFreeSession(db: Db, { session, agent }: TaskRequest): Promise<void> {
  if (session === null) return
  const holder = await db
    .selectFrom('tasks')
    .select('id')
    .where('state', 'not in', endedStates)
    .where('session', '=', session)
    .where('agent', '=', agent)
    .executeTakeFirst()
  if (holder === undefined) return
  throw new AppError('leased', `the session ${session} is in use by task ${holder.id}`, {
    hint: `holdfast wait ${holder.id}, or holdfast cancel ${holder.id}`,
  })
}

async function unmetDependencies(db: Db, after: readonly TaskId[]): Promise<readonly TaskId[]> {
  const unmet: TaskId[] = []
  for (const id of after) {
    const task = await findTask(db, id)
    if (task === undefined) throw new AppError('no_such_task', `there is no task ${id} to wait for`)
    const { state } = task
    if (!hasEnded(state)) unmet.push(id)
    else if (state.name !== 'succeeded') {
      throw new AppError('refused_in_state', `${id}, to wait for, is ${state.name} already`, {
        hint: `holdfast retry ${id}, and wait for the new one`,
      })
    }
  }
  return unmet
}

/** A worktree that others use as well is promised to one task at a time, from its submission on. */
async function leaseAtOnce(
  db: Db,
  { id, workplace, repo, createdAt }: TaskRequest,
  { record, newestTask }: SeenWorktree,
): Promise<void> {
  const { kind, path } = workplace
  // What is recorded of one that was deleted since goes: it is made anew.
  const known = { record_json: record === null ? null : JSON.stringify(record) }
  if (path !== null) {
    await db
      .insertInto('worktrees')
      .values({
        id: workplace.id,
        kind,
        path,
        repository: repo.commonDir,
        pinned: 0,
        created_at: createdAt,
        ...known,
      })
      .onConflict(conflict => conflict.column('id').doUpdateSet(known))
      .execute()
  }
  await db
    .insertInto('leases')
    .values({ worktree: workplace.id, task: id, fence: 0, taken_at: createdAt })
    .onConflict(conflict => conflict.column('worktree').doNothing())
    .execute()
  const { task: holder } = await db
    .selectFrom('leases')
    .select('task')
    .where('worktree', '=', workplace.id)
    .executeTakeFirstOrThrow()
  if (holder !== id) {
    throw new AppError('leased', `${path ?? workplace.id} is in use by task ${holder}`, {
      hint: `holdfast wait ${holder}, or hand it in without naming a worktree`,
    })
  }
  const { retiring } = await db
    .selectFrom('worktrees')
    .select('retiring')
    .where('id', '=', workplace.id)
    .executeTakeFirstOrThrow()
  if (retiring === 1) {
    throw new AppError('leased', `${path ?? workplace.id} is being put away`, {
      hint: 'hand it in again in a moment: the worktree is brought back then',
    })
  }
  const newest = await newestTaskIn(db, workplace.id)
  if (newest !== newestTask) {
    throw new AppError('leased', `task ${newest} has used ${path ?? workplace.id} meanwhile`, {
      hint: 'hand it in again: it starts from what that one left',
    })
  }
  await db.updateTable('tasks').set({ worktree: workplace.id }).where('id', '=', id).execute()
}
