/** The embedded store: one SQLite file per user, keyed by task and never by directory. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import { hasEnded } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store, UnreadableTask } from '../ports/store.ts'
import { listAnswers, recordAnswer } from './answers.ts'
import { claimActive, claimNext, countWaking, nextWake } from './claims.ts'
import { keepEnd, keepRequest, keepSnapshot } from './copies.ts'
import {
  acknowledge,
  dropDeadLetters,
  listDeadLetters,
  listInbox,
  listOwed,
  listOwedTo,
  recordSent,
  recordUnsent,
  retryDeadLetters,
  unlessAwaited,
} from './deliveries.ts'
import { endStore } from './end.ts'
import { insertNote, listEvents } from './events.ts'
import { gather } from './gather.ts'
import { STORE_FILE } from './home.ts'
import { isProbe, liftLimit } from './limits.ts'
import {
  findLease,
  findRemains,
  listRepositories,
  registerWorktree,
  releaseLease,
  restoreTask,
} from './mending.ts'
import {
  findSaid,
  launchWithMessages,
  listMessages,
  recordHeard,
  recordMessage,
} from './messages.ts'
import { transition } from './moves.ts'
import { openDatabase } from './open.ts'
import { findProgress, listAttempts, listUsage } from './progress.ts'
import type { Database } from './schema.ts'
import {
  forgetSnapshot,
  listPutAwayAlone,
  listSnapshots,
  recordRunningSnapshot,
  recordSnapshot,
} from './snapshots.ts'
import { forgetSpare, listSpares, planSpare, recordSpare, takeSpare } from './spares.ts'
import { makeStepRecorder, type Step } from './steps.ts'
import { storeError } from './store-error.ts'
import { submitGroup, submitTask, unlessKnown } from './submissions.ts'
import {
  archiveTask,
  countTasks,
  findGroup,
  findTask,
  findTasksNamed,
  findTwin,
  listTasks,
  recordTaken,
} from './tasks.ts'
import { recordVerification } from './verifications.ts'
import {
  beginRetirement,
  claimPorts,
  findWorktree,
  forgetWorktree,
  giveUpRetirement,
  leaseWorktree,
  listWorktrees,
  newestTaskIn,
  pinWorktree,
  planWorktree,
  recordPlanned,
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
  const recordSteps = makeStepRecorder(raw)
  const steps = gather<Step, boolean>(all =>
    unsynced(async () => recordSteps(all)).catch(error => {
      throw storeError(error, join(directory, STORE_FILE))
    }),
  )
  const inode = statSync(join(directory, STORE_FILE)).ino
  const unreadable = new Map<TaskId, UnreadableTask>()
  const onUnreadable = (task: UnreadableTask) => void unreadable.set(task.id, task)
  const dataVersion = raw.prepare('PRAGMA data_version')

  return {
    isReadOnly,
    async submitTask(request, seen, isWhole) {
      const task = await submitTask(db, request, seen, isWhole)
      requireInPlace(join(directory, STORE_FILE), inode)
      if (task.request.id === request.id) keepRequest(directory, request)
      return task
    },
    async submitGroup(requests, isWhole) {
      const tasks = await submitGroup(db, requests, isWhole)
      requireInPlace(join(directory, STORE_FILE), inode)
      for (const request of requests) {
        if (tasks.some(task => task.request.id === request.id)) keepRequest(directory, request)
      }
      return tasks
    },
    findGroup: reference => findGroup(db, reference),
    unlessKnown: (task, work) => unlessKnown(db, task, work),
    findTwin: idempotency => findTwin(db, idempotency),
    findTask: id => findTask(db, id),
    findTasksNamed: reference => findTasksNamed(db, reference),
    listTasks: filter => listTasks(db, filter, onUnreadable),
    unreadable: () => [...unreadable.values()],
    countTasks: states => countTasks(db, states),
    claimNext: (now, mode, which = 'any') => claimNext(db, now, mode, which, onUnreadable),
    claimActive: () => claimActive(db, onUnreadable),
    nextWake: () => nextWake(db, [...unreadable.keys()]),
    countWaking: before => countWaking(db, before, [...unreadable.keys()]),
    async transition(id, fence, event, now, ending) {
      const task = await transition(db, id, fence, event, now, ending)
      if (task !== undefined && hasEnded(task.state)) {
        // Those that waited for it may have ended with it.
        const ended = await listTasks(db, { endedSince: now }, onUnreadable)
        for (const { request, state } of [task, ...ended]) {
          if (hasEnded(state)) keepEnd(directory, request.id, state)
        }
      }
      return task
    },
    recordProgress: (attempt, progress, events, now) => steps({ attempt, progress, events, now }),
    findProgress: (task, fence) => findProgress(db, task, fence),
    recordNote: (task, fence, kind, text, now) =>
      unsynced(connection =>
        connection
          .transaction()
          .execute(transaction => insertNote(transaction, task, fence, kind, text, now)),
      ),
    recordVerification: (attempt, verification, told, now) =>
      recordVerification(db, attempt, verification, told, now),
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
    listUsage: since => listUsage(db, since),
    liftLimit: (probe, now, pause) => liftLimit(db, probe, now, pause),
    isProbe: task => isProbe(db, task),
    recordAnswer: (task, question, answer, now) => recordAnswer(db, task, question, answer, now),
    listAnswers: (task, fence) => listAnswers(db, task, fence),
    recordMessage: (task, text, now, key) => recordMessage(db, task, text, now, key),
    findSaid: idempotency => findSaid(db, idempotency),
    listMessages: task => listMessages(db, task),
    launchWithMessages: attempt => launchWithMessages(db, attempt),
    recordHeard: (attempt, numbers, now) => recordHeard(db, attempt, numbers, now),
    listOwed: () => listOwed(db),
    listOwedTo: (owed, limit) => listOwedTo(db, owed, limit),
    recordSent: (ids, now) => recordSent(db, ids, now),
    recordUnsent: (ids, problem, nextTryAt) => recordUnsent(db, ids, problem, nextTryAt),
    listDeadLetters: () => listDeadLetters(db),
    retryDeadLetters: () => retryDeadLetters(db),
    dropDeadLetters: now => dropDeadLetters(db, now),
    unlessAwaited: (tokenFile, forget) => unlessAwaited(db, tokenFile, forget),
    listInbox: filter => listInbox(db, filter),
    acknowledge: (ids, now) => acknowledge(db, ids, now),
    leaseWorktree: (attempt, worktree) => leaseWorktree(db, attempt, worktree, clock.now()),
    claimPorts: (worktree, range) => claimPorts(db, worktree, range),
    recordWorktree: (attempt, record) => recordWorktree(db, attempt, record),
    newestTaskIn: worktree => newestTaskIn(db, worktree),
    findWorktree: id => findWorktree(db, id),
    listWorktrees: () => listWorktrees(db),
    forgetWorktree: id => forgetWorktree(db, id),
    planWorktree: plan => planWorktree(db, plan, clock.now()),
    recordPlanned: worktree => recordPlanned(db, worktree),
    beginRetirement: id => beginRetirement(db, id),
    giveUpRetirement: id => giveUpRetirement(db, id),
    pinWorktree: (id, pinned) => pinWorktree(db, id, pinned),
    archiveTask: (task, at) => archiveTask(db, 'id', task, at),
    archiveTasksIn: (worktree, at) => archiveTask(db, 'worktree', worktree, at),
    async recordSnapshot(snapshot) {
      await recordSnapshot(db, snapshot)
      keepSnapshot(directory, snapshot)
    },
    listSnapshots: worktree => listSnapshots(db, worktree),
    listPutAwayAlone: () => listPutAwayAlone(db),
    forgetSnapshot: (worktree, number) => forgetSnapshot(db, worktree, number),
    planSpare: order => planSpare(db, order, clock.now()),
    recordSpare: (id, spare) => recordSpare(db, id, spare),
    takeSpare: (order, commit) => takeSpare(db, order, commit),
    listSpares: () => listSpares(db),
    forgetSpare: id => forgetSpare(db, id),
    recordRunningSnapshot: (attempt, snapshot) => recordRunningSnapshot(db, attempt, snapshot),
    listRepositories: () => listRepositories(db),
    releaseLease: worktree => releaseLease(db, worktree),
    findLease: worktree => findLease(db, worktree),
    async clearDamage() {
      const { clearDamage } = await import('./integrity.ts')
      clearDamage(raw)
    },
    registerWorktree: (worktree, kind) => registerWorktree(db, worktree, kind, clock.now()),
    findRemains: task => findRemains(db, task),
    async restoreTask(restored) {
      await restoreTask(db, restored, clock.now())
      unreadable.delete(restored.request.id)
    },
    changeCounter() {
      // In a store that was replaced nothing would ever change any more.
      requireInPlace(join(directory, STORE_FILE), inode)
      return (dataVersion.get() as { data_version: number }).data_version
    },
    async checkIntegrity() {
      const { findDamage } = await import('./integrity.ts')
      try {
        return findDamage(raw)
      } catch (error) {
        throw storeError(error, join(directory, STORE_FILE))
      }
    },
    end: async tasks => endStore(raw, tasks),
    async close() {
      if (raw.isOpen) raw.close()
    },
  }
}

/** What was committed into a store that `doctor --fix` has replaced meanwhile was not handed in. */
function requireInPlace(file: string, inode: number): void {
  if (statSync(file, { throwIfNoEntry: false })?.ino === inode) return
  throw new AppError('store_unwritable', `the store ${file} was replaced in this moment`, {
    hint: 'do it again',
  })
}
