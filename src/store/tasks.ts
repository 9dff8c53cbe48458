/** Tasks as rows: writing one, finding it again. */
import type { Insertable, Selectable } from 'kysely'
import { AppError, messageOf } from '../domain/errors.ts'
import type { GroupId } from '../domain/group.ts'
import { asFence, type Fence, type SessionId, type TaskId, type WorktreeId } from '../domain/ids.ts'
import type {
  Idempotency,
  Taken,
  Task,
  TaskRequest,
  TaskState,
  TaskStateName,
  Wait,
} from '../domain/task.ts'
import type { TaskFilter, UnreadableTask } from '../ports/store.ts'
import {
  readBudget,
  readRequest,
  readRunningSnapshot,
  readState,
  readTaken,
  readUsage,
  readVerification,
} from './columns.ts'
import { insertNote } from './events.ts'
import type { Database, Db } from './schema.ts'

type TaskRow = Selectable<Database['tasks']> & {
  worktree_path: string | null
  worktree_kind: Database['worktrees']['kind'] | null
  worktree_pinned: number | null
  worktree_port: number | null
  limited_until: number | null
  put_away_at: number | null
  followed_by: string | null
  messages_sent: number | null
  messages_heard: number | null
}

export function selectTasks(db: Db) {
  return db
    .selectFrom('tasks')
    .leftJoin('worktrees', 'worktrees.id', 'tasks.worktree')
    .leftJoin('limits', 'limits.account', 'tasks.account')
    .selectAll('tasks')
    .select([
      'worktrees.path as worktree_path',
      'worktrees.kind as worktree_kind',
      'worktrees.pinned as worktree_pinned',
      'worktrees.port as worktree_port',
      'limits.ends_at as limited_until',
    ])
    .select(eb =>
      eb
        .selectFrom('snapshots')
        .select(of => of.fn.max('snapshots.taken_at').as('taken_at'))
        .whereRef('snapshots.worktree', '=', 'tasks.worktree')
        .as('put_away_at'),
    )
    .select(eb =>
      eb
        .selectFrom('tasks as followers')
        .select('followers.id')
        .whereRef('followers.follows', '=', 'tasks.id')
        .orderBy('followers.number', 'desc')
        .limit(1)
        .as('followed_by'),
    )
    .select(eb => {
      const said = eb.selectFrom('messages').whereRef('messages.task', '=', 'tasks.id')
      return [
        said.select(of => of.fn.countAll<number>().as('sent')).as('messages_sent'),
        said.select(of => of.fn.count<number>('heard_at').as('heard')).as('messages_heard'),
      ]
    })
}

/** Refuses with `task_unreadable`. */
function readTask(row: TaskRow): Task {
  return {
    request: readRequest(row),
    agent: row.agent,
    fallbacks: row.fallbacks,
    account: row.account,
    limitedUntil: row.limited_until === null ? null : Number(row.limited_until),
    budget: row.budget_json === null ? null : readBudget(row.budget_json),
    state: readState(row),
    stateSince: Number(row.state_since),
    attempts: row.attempts,
    failuresInRow: row.failures_in_row,
    runs: row.runs,
    fruitlessMs: Number(row.fruitless_ms),
    session: row.session as SessionId | null,
    worktree:
      row.worktree === null || row.worktree_path === null || row.worktree_kind === null
        ? null
        : {
            id: row.worktree as WorktreeId,
            path: row.worktree_path,
            kind: row.worktree_kind,
            pinned: row.worktree_pinned === 1,
            port: row.worktree_port,
          },
    snapshot: row.snapshot_json === null ? null : readRunningSnapshot(row.snapshot_json),
    putAwayAt:
      row.put_away_at === null || row.worktree_path !== null ? null : Number(row.put_away_at),
    usage: row.usage_json === null ? null : readUsage(row.usage_json),
    followedBy: row.followed_by as TaskId | null,
    messages: {
      sent: Number(row.messages_sent),
      unheard: Number(row.messages_sent) - Number(row.messages_heard),
    },
    startedAt: row.started_at === null ? null : Number(row.started_at),
    taken: row.taken_json === null ? null : readTaken(row.taken_json),
    archivedAt: row.archived_at === null ? null : Number(row.archived_at),
    verification: row.verify_json === null ? null : readVerification(row.verify_json),
  }
}

/** Told of each row that cannot be read, by those who read many and go on with the others. */
export type OnUnreadable = (task: UnreadableTask) => void

export function readTaskOr(row: TaskRow, onUnreadable: OnUnreadable): Task | undefined {
  const task = readAnyhow(row)
  if (!('problem' in task)) return task
  onUnreadable(task)
  return undefined
}

function readAnyhow(row: TaskRow): Task | UnreadableTask {
  try {
    return readTask(row)
  } catch (error) {
    return {
      id: row.id as TaskId,
      name: row.name,
      agent: row.agent,
      state: row.state,
      repository: row.repository,
      createdAt: Number(row.created_at),
      problem: messageOf(error),
    }
  }
}

/** `state`: queued, or waiting for others. `known`: of one that was lost and is written down again. */
export async function insertTask(
  db: Db,
  request: TaskRequest,
  state: TaskState,
  known: Partial<Insertable<Database['tasks']>> = {},
): Promise<void> {
  await db
    .insertInto('tasks')
    .values({
      id: request.id,
      name: request.name,
      agent: request.agent,
      repository: request.repo.commonDir,
      created_at: request.createdAt,
      request_json: JSON.stringify(request),
      state: state.name,
      state_since: request.createdAt,
      state_json: JSON.stringify(state),
      attempts: 0,
      failures_in_row: 0,
      session: request.session,
      priority: request.priority,
      idempotency_key: request.idempotency?.key ?? null,
      parent: request.delegation?.parent ?? null,
      root: request.delegation?.root ?? null,
      account: request.account,
      budget_json: request.budget === null ? null : JSON.stringify(request.budget),
      tied: request.tie === null ? 0 : 1,
      group_id: request.group,
      follows: request.follows,
      ...known,
    })
    .execute()
  if (known.attempts !== undefined) return
  await insertNote(
    db,
    request.id,
    null,
    'task_queued',
    state.name === 'waiting' ? describeWait(state.wait) : `queued for ${request.agent}`,
    request.createdAt,
  )
}

export async function findTask(db: Db, id: TaskId): Promise<Task | undefined> {
  const row = await selectTasks(db).where('tasks.id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : readTask(row)
}

/** See `Store.findTwin`. */
export async function findTwin(db: Db, idempotency: Idempotency): Promise<Task | undefined> {
  const row = await selectTasks(db)
    .where('tasks.idempotency_key', '=', idempotency.key)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const twin = readTask(row)
  if (twin.request.idempotency?.fingerprint === idempotency.fingerprint) return twin
  throw new AppError(
    'idempotency_conflict',
    `the key "${idempotency.key}" was used for another request: task ${twin.request.id}`,
    { hint: 'choose another key for another request' },
  )
}

/** Why a task waits, in words. */
export function describeWait(wait: Wait): string {
  if (wait.reason === 'dependency') return `waiting for ${wait.on.join(', ')}`
  if (wait.reason === 'message') return 'its turn is over, and it was told more'
  const until = wait.reason === 'usage_limit' ? ` until ${new Date(wait.until).toISOString()}` : ''
  return `waiting (${wait.reason})${until} after ${wait.failure.code}: ${wait.failure.message}`
}

/** An id says exactly one; then a name, the newest that bears it; then the prefix of an id. */
export async function findTasksNamed(
  db: Db,
  reference: string,
): Promise<readonly (Task | UnreadableTask)[]> {
  const exact = await selectTasks(db).where('tasks.id', '=', reference).executeTakeFirst()
  if (exact !== undefined) return [readAnyhow(exact)]
  const named = await findNewestNamed(db, reference)
  if (named !== undefined) return [readAnyhow(named)]
  if (!/^[a-z][0-9a-z]*$/.test(reference)) return []
  const rows = await selectTasks(db)
    .where('tasks.id', '>=', reference)
    .where('tasks.id', '<', `${reference}~`)
    .limit(2)
    .execute()
  return rows.map(readAnyhow)
}

/** Those that follow `fix-login` are named `fix-login.2` and so on; the bare name means the newest. */
async function findNewestNamed(db: Db, name: string) {
  const bearers = await selectTasks(db)
    .where(eb =>
      eb.or([
        eb('tasks.name', '=', name),
        // Everything that begins with the name and a dot: `/` comes right after it.
        eb.and([eb('tasks.name', '>=', `${name}.`), eb('tasks.name', '<', `${name}/`)]),
      ]),
    )
    .orderBy('tasks.number', 'desc')
    .execute()
  return bearers.find(row => row.name === name || /^\d+$/.test(row.name.slice(name.length + 1)))
}

/** Ended ones newest end first, by their own index; the others newest first. */
export async function listTasks(
  db: Db,
  filter: TaskFilter,
  onUnreadable: OnUnreadable,
): Promise<readonly Task[]> {
  let query = selectTasks(db)
  if (filter.states !== undefined) query = query.where('tasks.state', 'in', filter.states)
  if (filter.repository !== undefined)
    query = query.where('tasks.repository', '=', filter.repository)
  if (filter.agent !== undefined) query = query.where('tasks.agent', '=', filter.agent)
  if (filter.root !== undefined) query = query.where('tasks.root', '=', filter.root)
  if (filter.tied === true) query = query.where('tasks.tied', '=', 1)
  if (filter.group !== undefined) query = query.where('tasks.group_id', '=', filter.group)
  if (filter.follows !== undefined) query = query.where('tasks.follows', '=', filter.follows)
  if (filter.endedSince !== undefined) {
    query = query.where('tasks.ended_at', '>=', filter.endedSince).orderBy('tasks.ended_at', 'desc')
  }
  query = query.orderBy('tasks.number', 'desc')
  if (filter.limit !== undefined) query = query.limit(filter.limit)
  const rows = await query.execute()
  return rows.map(row => readTaskOr(row, onUnreadable)).filter(task => task !== undefined)
}

/** See `Store.findGroup`. `:` comes right before `;`. */
export async function findGroup(db: Db, reference: string): Promise<GroupId | undefined> {
  const row = await db
    .selectFrom('tasks')
    .select('group_id')
    .where(eb =>
      eb.or([
        eb('group_id', '=', reference),
        eb.and([eb('group_id', '>=', `${reference}:`), eb('group_id', '<', `${reference};`)]),
      ]),
    )
    .orderBy('number', 'desc')
    .executeTakeFirst()
  return (row?.group_id ?? undefined) as GroupId | undefined
}

/** By the task itself, or by the worktree that tasks worked in. */
export async function archiveTask(
  db: Db,
  by: 'id' | 'worktree',
  value: string,
  at: number | null,
): Promise<void> {
  await db.updateTable('tasks').set({ archived_at: at }).where(by, '=', value).execute()
}

export async function countTasks(db: Db, states: readonly TaskStateName[]): Promise<number> {
  const row = await db
    .selectFrom('tasks')
    .select(eb => eb.fn.countAll().as('count'))
    .where('state', 'in', states)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function recordTaken(
  db: Db,
  task: TaskId,
  taken: Taken | null,
  note: string,
  now: number,
): Promise<void> {
  const taken_json = taken === null ? null : JSON.stringify(taken)
  await db.updateTable('tasks').set({ taken_json }).where('id', '=', task).execute()
  await insertNote(db, task, null, 'task_changed', note, now)
}

export const fenceOf = (task: Task): Fence => asFence(task.attempts)
