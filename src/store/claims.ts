/** Who works on what: claiming attempts. */
import type { Kysely } from 'kysely'
import { CLOCK_SLACK_MS } from '../domain/backoff.ts'
import { reach } from '../domain/crash-points.ts'
import { asFence, type TaskId } from '../domain/ids.ts'
import type { Failure } from '../domain/outcome.ts'
import { type Attempt, activeStates, OPENED_PRIORITY, type Task } from '../domain/task.ts'
import type { ActiveAttempt, ClaimedAttempt, ClaimScope } from '../ports/store.ts'
import { isFree, wakeTime } from './limits.ts'
import { moveTask } from './moves.ts'
import { gatherTries } from './progress.ts'
import type { Database, Db } from './schema.ts'
import { type OnUnreadable, readTaskOr, selectTasks } from './tasks.ts'

export async function claimNext(
  db: Kysely<Database>,
  now: number,
  mode: (task: Task) => Attempt['mode'],
  which: ClaimScope,
  onUnreadable: OnUnreadable,
): Promise<{ task: Task; attempt: ClaimedAttempt; interruptedBy: Failure | null } | undefined> {
  return await db.transaction().execute(async transaction => {
    const before = await findNext(transaction, now, which, onUnreadable)
    if (before === undefined) return undefined
    const id = before.request.id
    const attempt = {
      task: id,
      fence: asFence(before.attempts + 1),
      mode: mode(before),
      startedAt: now,
    } as ClaimedAttempt
    await transaction
      .updateTable('tasks')
      .set({ attempts: attempt.fence })
      .where('id', '=', id)
      .execute()
    await transaction
      .insertInto('attempts')
      .values({
        task: id,
        fence: attempt.fence,
        mode: attempt.mode,
        started_at: now,
        stdout_offset: 0,
        stdout_lines: 0,
        agent: before.agent,
      })
      .execute()
    const task = await moveTask(
      transaction,
      { ...before, attempts: attempt.fence },
      { kind: 'attempt_claimed', fence: attempt.fence },
      now,
    )
    reach('claim.written')
    const wait = before.state.name === 'waiting' ? before.state.wait : null
    const interruptedBy = wait !== null && 'failure' in wait ? wait.failure : null
    return task === undefined ? undefined : { task, attempt, interruptedBy }
  })
}

/** The first that can be read: one damaged row may not hold up all that stand behind it. */
async function findNext(
  db: Db,
  now: number,
  which: ClaimScope,
  onUnreadable: OnUnreadable,
): Promise<Task | undefined> {
  const passedOver: string[] = []
  for (;;) {
    const row =
      (await findInterrupted(db, now, which, passedOver)) ??
      (which === 'interrupted' ? undefined : await findQueued(db, now, which, passedOver))
    if (row === undefined) return undefined
    const task = readTaskOr(row, onUnreadable)
    if (task !== undefined) return task
    passedOver.push(row.id)
  }
}

/** `begun`: of those that were interrupted; else of those that were never begun. */
function selectScope(
  db: Db,
  now: number,
  which: ClaimScope,
  begun: boolean,
  passedOver: readonly string[],
) {
  const all = selectTasks(db).where(isFree(now))
  const tasks = passedOver.length === 0 ? all : all.where('tasks.id', 'not in', passedOver)
  if (which === 'opened') return tasks.where('tasks.priority', '>=', OPENED_PRIORITY)
  if (which !== 'delegated') return tasks
  return tasks
    .innerJoin('tasks as delegator', 'delegator.id', 'tasks.parent')
    .where('delegator.state', 'in', activeStates)
    .where(eb =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('tasks as sibling')
            .select('sibling.id')
            .whereRef('sibling.root', '=', 'tasks.root')
            .whereRef('sibling.parent', '=', 'tasks.parent')
            // One in its pause goes on before another is begun: that one might wait for it.
            .where(sibling =>
              sibling.or([
                sibling('sibling.state', 'in', activeStates),
                ...(begun ? [] : [sibling('sibling.wait_until', 'is not', null)]),
              ]),
            ),
        ),
      ),
    )
}

/** What was begun goes on before anything new is begun. */
function findInterrupted(db: Db, now: number, which: ClaimScope, passedOver: readonly string[]) {
  return selectScope(db, now, which, true, passedOver)
    .where('tasks.state', '=', 'waiting')
    .where(eb =>
      // As `waitIsOver` says; a wait for something else has no time.
      eb.or([
        eb('tasks.wait_until', '<=', now),
        eb.and([
          eb('tasks.wait_until', 'is not', null),
          eb('tasks.state_since', '>', now + CLOCK_SLACK_MS),
        ]),
      ]),
    )
    .orderBy('tasks.wait_until')
    .orderBy('tasks.number')
    .limit(1)
    .executeTakeFirst()
}

function findQueued(db: Db, now: number, which: ClaimScope, passedOver: readonly string[]) {
  return selectScope(db, now, which, false, passedOver)
    .where('tasks.state', '=', 'queued')
    .orderBy('tasks.priority', 'desc')
    .orderBy('tasks.number')
    .limit(1)
    .executeTakeFirst()
}

export async function claimActive(
  db: Db,
  onUnreadable: OnUnreadable,
): Promise<readonly ActiveAttempt[]> {
  const rows = await selectTasks(db)
    .innerJoin('attempts', join =>
      join.onRef('attempts.task', '=', 'tasks.id').onRef('attempts.fence', '=', 'tasks.attempts'),
    )
    .select(['attempts.mode as mode', 'attempts.started_at as attempt_started_at'])
    .where('tasks.state', 'in', activeStates)
    .execute()
  if (rows.length === 0) return []
  const tries = await gatherTries(db, activeStates)
  return rows.flatMap(row => {
    const task = readTaskOr(row, onUnreadable)
    if (task === undefined) return []
    const attempt = {
      task: row.id as TaskId,
      fence: asFence(row.attempts),
      mode: row.mode,
      startedAt: Number(row.attempt_started_at),
    } as ClaimedAttempt
    const known = tries.get(attempt.task)
    // One whose state has changed in between is adopted the next time.
    return known === undefined ? [] : [{ task, attempt, tries: known }]
  })
}

/** Without those that cannot be read: nobody can claim them, however long their time has come. */
function selectWaiting(db: Db, unreadable: readonly string[]) {
  const waiting = db
    .selectFrom('tasks')
    .leftJoin('limits', 'limits.account', 'tasks.account')
    .where('tasks.state', '=', 'waiting')
  return unreadable.length === 0 ? waiting : waiting.where('tasks.id', 'not in', unreadable)
}

export async function nextWake(db: Db, unreadable: readonly string[]): Promise<number | undefined> {
  const row = await selectWaiting(db, unreadable)
    .select(eb => eb.fn.min(wakeTime).as('at'))
    .executeTakeFirst()
  // Those that have not begun wait for their account alone.
  const held = await db
    .selectFrom('limits')
    .innerJoin('tasks', 'tasks.account', 'limits.account')
    .select(eb => eb.fn.min('limits.ends_at').as('at'))
    .where('tasks.state', '=', 'queued')
    .where('limits.probe', 'is', null)
    .executeTakeFirst()
  const times = [row?.at, held?.at].flatMap(at => (at == null ? [] : [Number(at)]))
  return times.length === 0 ? undefined : Math.min(...times)
}

export async function countWaking(
  db: Db,
  before: number,
  unreadable: readonly string[],
): Promise<number> {
  const row = await selectWaiting(db, unreadable)
    .select(eb => eb.fn.countAll().as('count'))
    // Whoever waits for a reset holds no slot: it may be told to wait again.
    .where('limits.account', 'is', null)
    .where('tasks.wait_until', '<=', before)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}
