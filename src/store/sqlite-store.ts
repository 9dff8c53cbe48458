/** The embedded store: one SQLite file per user, keyed by task and never by directory. */
import type { Kysely } from 'kysely'
import type { TaskId } from '../domain/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store, UnreadableTask } from '../ports/store.ts'
import { claimActive, claimNext, countWaking, nextWake } from './claims.ts'
import { endStore } from './end.ts'
import { insertNote, listEvents } from './events.ts'
import { gather } from './gather.ts'
import { transition } from './moves.ts'
import { openDatabase } from './open.ts'
import { findProgress, listAttempts, recordSteps, type Step } from './progress.ts'
import type { Database } from './schema.ts'
import { submitTask, unlessKnown } from './submissions.ts'
import { countTasks, findTask, findTasksNamed, listTasks, recordTaken } from './tasks.ts'
import {
  findWorktree,
  forgetWorktree,
  leaseWorktree,
  listWorktrees,
  recordWorktree,
} from './worktrees.ts'

/** Opens the store in `directory` (absolute). Refuses as `openDatabase` does. */
export async function openSqliteStore(directory: string, clock: Clock): Promise<Store> {
  const { raw, db, isReadOnly } = await openDatabase(directory)
  // Log lines come many times a second and can be derived again: they need not wait for the disk.
  // A power cut may lose such a commit, and never tears one.
  const unsynced = <T>(work: (connection: Kysely<Database>) => Promise<T>): Promise<T> =>
    db.connection().execute(async connection => {
      raw.exec('PRAGMA synchronous = NORMAL')
      try {
        return await work(connection)
      } finally {
        raw.exec('PRAGMA synchronous = FULL')
      }
    })
  const steps = gather<Step, boolean>(all => unsynced(connection => recordSteps(connection, all)))
  const unreadable = new Map<TaskId, UnreadableTask>()
  const onUnreadable = (task: UnreadableTask) => void unreadable.set(task.id, task)
  const dataVersion = raw.prepare('PRAGMA data_version')

  return {
    isReadOnly,
    submitTask: (request, worktree, isWhole) => submitTask(db, request, worktree, isWhole),
    unlessKnown: (task, work) => unlessKnown(db, task, work),
    findTask: id => findTask(db, id),
    findTasksNamed: reference => findTasksNamed(db, reference),
    listTasks: filter => listTasks(db, filter, onUnreadable),
    unreadable: () => [...unreadable.values()],
    countTasks: states => countTasks(db, states),
    claimNext: (now, mode, which = 'any') => claimNext(db, now, mode, which, onUnreadable),
    claimActive: () => claimActive(db, onUnreadable),
    nextWake: () => nextWake(db),
    countWaking: before => countWaking(db, before),
    transition: (task, fence, event, now, ending) =>
      transition(db, task, fence, event, now, ending),
    recordProgress: (attempt, progress, events, now) => steps({ attempt, progress, events, now }),
    findProgress: (task, fence) => findProgress(db, task, fence),
    recordNote: (task, fence, kind, text, now) =>
      unsynced(connection =>
        connection
          .transaction()
          .execute(transaction => insertNote(transaction, task, fence, kind, text, now)),
      ),
    recordTaken: (task, taken, note, now) =>
      db.transaction().execute(transaction => recordTaken(transaction, task, taken, note, now)),
    listEvents: (task, after, limit) => listEvents(db, task, after, limit),
    async lastEvents(task, count) {
      const row = await db
        .selectFrom('tasks')
        .select('last_seq')
        .where('id', '=', task)
        .executeTakeFirst()
      return row === undefined ? [] : await listEvents(db, task, row.last_seq - count, count)
    },
    listAttempts: task => listAttempts(db, task),
    leaseWorktree: (attempt, worktree) => leaseWorktree(db, attempt, worktree, clock.now()),
    recordWorktree: (attempt, record) => recordWorktree(db, attempt, record),
    findWorktree: id => findWorktree(db, id),
    listWorktrees: () => listWorktrees(db),
    forgetWorktree: id => forgetWorktree(db, id),
    changeCounter: () => (dataVersion.get() as { data_version: number }).data_version,
    async checkIntegrity() {
      const { findDamage } = await import('./integrity.ts')
      return findDamage(raw)
    },
    end: async tasks => endStore(raw, tasks),
    async close() {
      if (raw.isOpen) raw.close()
    },
  }
}
