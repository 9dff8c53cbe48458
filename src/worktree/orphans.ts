/**
 * Gits that outlive us. A git that writes a worktree goes on when its worker is killed, while the
 * repository's lock dies with the worker: the next worker would meet it in the middle of the same
 * files, or have its result overwritten by the late ref of the one before. So each such git has a
 * badge in its environment: who started it, and for which worktree. Before a worktree is made,
 * collected or removed, those are ended whose starter is dead.
 *
 * Why in the environment: it needs no record that could be missing or stale (a pid that is written
 * down after the spawn is lost in between), and filters that git starts inherit it. Neither a
 * process group nor `killSignal` helps: both need somebody alive who sends the signal.
 *
 * Nobody else's process is ended. A git of the user's has no badge, one whose starter lives is no
 * orphan, and a daemon that a filter has put into a session of its own may serve others.
 */
import { AppError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { BADGE_VARIABLE, type Git } from './git.ts'
import { findBearers, findProcess, type SeenProcess } from './processes.ts'

const LOOK_MS = 5
/** Time to take back its lock files, which is what git does on SIGTERM. */
const GRACEFUL_MS = 1_000
/** Only a process that hangs in the kernel outlives SIGKILL for long. */
const LIMIT_MS = 10_000

/**
 * Ends what a killed process left running for this worktree, and waits until all of it is gone.
 * Gives the git to go on with: all of its processes bear the badge.
 */
export async function takeOver(git: Git, clock: Clock, worktreePath: string): Promise<Git> {
  await endOrphans(worktreePath, clock)
  const self = findProcess(process.pid)
  if (self === undefined) return git
  const badge = `${self.pid} ${self.startTime} ${self.session} ${worktreePath}`
  return {
    run: (args, call) => git.run(args, { ...call, badge }),
    start: (args, call) => git.start(args, { ...call, badge }),
  }
}

async function endOrphans(worktreePath: string, clock: Clock): Promise<void> {
  const start = clock.now()
  const asked = new Set<string>()
  let orphans = findOrphans(worktreePath)
  // Twice nobody: an orphan starts others until it ends, and in an `exec` none shows its badge.
  for (let quiet = 0; orphans.length > 0 || (asked.size > 0 && quiet < 2); ) {
    const elapsed = clock.now() - start
    if (orphans.length > 0 && elapsed > LIMIT_MS) {
      const pids = orphans.map(({ pid }) => pid).join(', ')
      throw new AppError(
        'refused_in_state',
        `a git of a killed process does not end: pid ${pids}`,
        {
          hint: `it was at work on ${worktreePath}; try again when it is gone`,
        },
      )
    }
    for (const orphan of orphans) {
      const name = `${orphan.pid} ${orphan.startTime}`
      if (elapsed > GRACEFUL_MS) end(orphan, 'SIGKILL')
      // Once: a second one would cut short what it does at the first.
      else if (!asked.has(name)) end(orphan, 'SIGTERM')
      asked.add(name)
    }
    await clock.sleep(LOOK_MS)
    orphans = findOrphans(worktreePath)
    quiet = orphans.length === 0 ? quiet + 1 : 0
  }
}

function findOrphans(worktreePath: string): SeenProcess[] {
  return findBearers(BADGE_VARIABLE)
    .filter(({ bearer, value }) => isOrphan(bearer, value, worktreePath))
    .map(({ bearer }) => bearer)
}

function isOrphan(bearer: SeenProcess, badge: string, worktreePath: string): boolean {
  const [pid, startTime, session, ...path] = badge.split(' ')
  if (path.join(' ') !== worktreePath || bearer.session !== session) return false
  return findProcess(Number(pid))?.startTime !== startTime
}

function end({ pid, startTime }: SeenProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (findProcess(pid)?.startTime !== startTime) return
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended by itself, just now.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
