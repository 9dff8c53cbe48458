/**
 * One worker per state directory: it holds the lock `worker`, writes its card `worker.json`, and
 * listens to the file `bell`. It is started through a few lines of `sh` that start it again when
 * it is killed: its own watchdog.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { WATCHED_VARIABLE } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import { describeSandbox, type Sandbox } from '../domain/sandbox.ts'
import type { Locks } from '../ports/lock.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { WorkerCard, WorkerInfo, WorkerPresence } from '../ports/worker-presence.ts'

const LOCK = 'worker'
const CARD = 'worker.json'
const BELL = 'bell'
const LOG = 'worker.log'
const CHARGE = 'watchdog'

/** How often a worker touches its card; one that has stopped, or hangs, does not. */
const BEAT_MS = 2_000
/** A machine that is very busy may hold a worker up for some seconds. */
const SILENT_MS = 15_000

/**
 * Lookers share the lock for well under a millisecond; a post that is free is had at once. One that
 * is stopped in the middle of its look keeps it.
 */
const TAKE_POST_MS = 1_000

/**
 * $1 is the file that names the watchdog in charge (the parent of the worker that holds the post,
 * as that worker writes it down), the rest what starts a worker. Exit 0 is a worker that has
 * nothing left to do, or that found another one at work: the watchdog ends with it. Anything else
 * is a death; the pauses grow to a minute, so that a worker that cannot start (a full disk) does not
 * burn the machine, and after a day, or once the program is gone, the next command has to try. A
 * watchdog that wakes to find another one in charge, or no file (`worker stop`), ends. Whoever starts
 * one makes that file first, and empty: so a worker on its way finds none only where it was told to
 * stop before it came up, and a watchdog whose worker died before it could name it goes on.
 */
const WATCHDOG = `charge=$1; shift
deaths=0
born=$(date +%s)
until "$@"; do
  [ $(($(date +%s) - born)) -lt 60 ] || deaths=0
  deaths=$((deaths + 1))
  [ "$deaths" -lt 1440 ] && [ -e "$1" ] && [ -e "$2" ] || exit 1
  sleep $((deaths < 60 ? deaths : 60))
  [ -e "$charge" ] || exit 0
  other=
  { read -r other <"$charge"; } 2>/dev/null
  [ "\${other:-$$}" = $$ ] || exit 0
  born=$(date +%s)
done`

export interface WorkerPresenceOptions {
  /** The state directory, absolute. */
  readonly home: string
  /** What starts a worker in the foreground. */
  readonly workerCommand: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Whether this process was started by a watchdog. */
  readonly isWatched: boolean
}

/** What is asked for only when a worker must be started: a look needs no processes. */
export interface WorkerStarters {
  readonly host: () => Promise<ProcessHost>
  /** What a worker that is started here would end with; null: nothing. */
  readonly sandbox: () => Promise<Sandbox | null>
}

export function makeWorkerPresence(
  options: WorkerPresenceOptions,
  locks: Locks,
  starters: WorkerStarters,
): WorkerPresence {
  const { home } = options
  const bell = join(home, BELL)
  const acquirePost = async () => {
    const deadline = performance.now() + TAKE_POST_MS
    let lock = locks.tryAcquire(LOCK)
    // Held by lookers alone: worth a moment. Held by a worker: waiting would make a second one.
    while (lock === undefined && !locks.isHeld(LOCK)) {
      // That is no worker: whoever wants to be one has to come again.
      if (performance.now() > deadline) throw postLookedAt()
      await new Promise(resolve => setTimeout(resolve, 10))
      lock = locks.tryAcquire(LOCK)
    }
    return lock
  }
  return {
    look() {
      if (!locks.isHeld(LOCK)) return undefined
      return readCard(join(home, CARD)) ?? 'unnamed'
    },
    async ring() {
      touch(bell)
      reach('ring.bell-touched')
      if (locks.isHeld(LOCK)) return
      const sandbox = await starters.sandbox()
      if (sandbox !== null) throw workerOutside(sandbox)
      const host = await starters.host()
      // Whom it names was in charge of a worker that is gone.
      writeFileSync(join(home, CHARGE), '', { mode: 0o600 })
      await host.startDetached(
        [
          '/bin/sh',
          '-c',
          WATCHDOG,
          'holdfast-worker',
          join(home, CHARGE),
          ...options.workerCommand,
        ],
        { ...options.environment, [WATCHED_VARIABLE]: '1' },
        join(home, LOG),
      )
      reach('ring.watchdog-started')
    },
    dismissWatchdog() {
      rmSync(join(home, CHARGE), { force: true })
      reach('stop-worker.watchdog-dismissed')
    },
    blockPost: acquirePost,
    hasLeftCard: () => !locks.isHeld(LOCK) && existsSync(join(home, CARD)),
    removeCard() {
      const lock = locks.tryAcquire(LOCK)
      if (lock === undefined) return
      rmSync(join(home, CARD), { force: true })
      lock.release()
    },
    async takePost(info) {
      mkdirSync(home, { recursive: true, mode: 0o700 })
      reach('worker.begun')
      const lock = await acquirePost()
      if (lock === undefined) return undefined
      // Asked while the post is held: whoever dismisses after this sees it taken, and waits.
      if (options.isWatched && !existsSync(join(home, CHARGE))) {
        lock.release()
        return 'dismissed'
      }
      const held = lock
      reach('worker.post-taken')
      writeFileSync(join(home, `${CARD}.new`), JSON.stringify(info), { mode: 0o600 })
      reach('worker.card-written')
      renameSync(join(home, `${CARD}.new`), join(home, CARD))
      reach('worker.card-renamed')
      writeFileSync(join(home, CHARGE), `${process.ppid}\n`, { mode: 0o600 })
      reach('worker.watchdog-named')
      const beat = setInterval(() => touchIfThere(join(home, CARD)), BEAT_MS)
      beat.unref()
      return {
        release() {
          clearInterval(beat)
          rmSync(join(home, CARD), { force: true })
          reach('worker.card-removed')
          held.release()
          reach('worker.post-released')
        },
      }
    },
    listen(onRing) {
      touch(bell)
      const watcher = watch(bell, () => onRing())
      // Only a hint: where watching fails, the regular look finds the work.
      watcher.on('error', () => watcher.close())
      return () => watcher.close()
    },
  }
}

function postLookedAt(): AppError {
  const problem = `somebody has looked whether a worker is up for over ${TAKE_POST_MS / 1000} s`
  return new AppError('refused_in_state', problem, { hint: 'try again' })
}

function workerOutside(sandbox: Sandbox): AppError {
  return new AppError(
    'refused_in_state',
    `no worker is up, and one that is started here would end with ${describeSandbox(sandbox)}`,
    { hint: 'start one outside: holdfast worker start' },
  )
}

function touch(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // It is not there yet.
    writeFileSync(path, '', { mode: 0o600 })
  }
}

function touchIfThere(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // Somebody took it away: then nobody can tell how long ago it was touched, either.
  }
}

/** A card that is none of ours counts as none. */
function readCard(path: string): WorkerInfo | undefined {
  let card: Partial<WorkerCard> | null
  let touched: number
  try {
    card = JSON.parse(readFileSync(path, 'utf8'))
    touched = statSync(path).mtimeMs
  } catch {
    // Missing: whoever asks learns that a worker is up, and not yet which.
    return undefined
  }
  // By hand: `status` reads this, and does without zod.
  const { identity, version, startedAt } = card ?? {}
  return typeof identity?.pid === 'number' &&
    typeof version === 'string' &&
    typeof startedAt === 'number'
    ? { identity, version, startedAt, isSilent: Date.now() - touched > SILENT_MS }
    : undefined
}
