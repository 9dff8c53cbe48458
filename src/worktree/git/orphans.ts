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
import { AppError } from '../../domain/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LocalIdentity, Place, ProcessEntry, ProcessTable } from '../../ports/process-table.ts'
import type { OrphanGit } from '../../ports/worktrees.ts'
import { BADGE_VARIABLE, type Git } from './git.ts'

const LOOK_MS = 5
/** Time to take back its lock files, which is what git does on SIGTERM. */
const GRACEFUL_MS = 1_000
/** Only a process that hangs in the kernel outlives SIGKILL for long. */
const LIMIT_MS = 10_000

/** A git whose processes, with all that they start, bear one badge. */
export interface BadgedGit extends Git {
  /** Ends those that run, and waits until all of them are gone. */
  endAll(): Promise<void>
}

/**
 * Ends what a killed process left running for this worktree, and waits until all of it is gone.
 * Gives the git to go on with.
 */
export async function takeOver(
  git: Git,
  clock: Clock,
  processes: ProcessTable,
  worktreePath: string,
): Promise<BadgedGit> {
  await endProcesses(() => findOrphans(worktreePath, processes), worktreePath, clock, processes)
  return badged(git, clock, processes, worktreePath)
}

/** For whoever has taken it over before: what others left cannot have come since. */
export function badged(
  git: Git,
  clock: Clock,
  processes: ProcessTable,
  worktreePath: string,
): BadgedGit {
  const self = processes.find(process.pid)
  if (self === undefined) return { ...git, endAll: async () => undefined }
  const badge = makeBadge(self, processes.place(), worktreePath)
  const findOwn = () => {
    const own: ProcessEntry[] = []
    processes.forBearers(BADGE_VARIABLE, (bearer, value) => {
      if (value === badge && bearer.session === self.session) own.push(bearer)
    })
    return own
  }
  return {
    run: (args, call) => git.run(args, { ...call, badge }),
    start: (args, call) => git.start(args, { ...call, badge }),
    endAll: () => endProcesses(findOwn, worktreePath, clock, processes),
  }
}

async function endProcesses(
  find: () => readonly ProcessEntry[],
  worktreePath: string,
  clock: Clock,
  processes: ProcessTable,
): Promise<void> {
  const start = clock.elapsed()
  const asked = new Set<string>()
  let left = find()
  // Twice nobody: what is to end starts others until it ends, and in an `exec` none shows its badge.
  for (let quiet = 0; left.length > 0 || (asked.size > 0 && quiet < 2); ) {
    const elapsed = clock.elapsed() - start
    if (left.length > 0 && elapsed > LIMIT_MS) {
      const pids = left.map(({ pid }) => pid).join(', ')
      throw new AppError('refused_in_state', `a git of ours does not end: pid ${pids}`, {
        hint: `it was at work on ${worktreePath}; try again when it is gone`,
      })
    }
    for (const one of left) {
      const name = `${one.pid} ${one.startTime}`
      if (elapsed > GRACEFUL_MS) end(one, 'SIGKILL', processes)
      // Once: a second one would cut short what it does at the first.
      else if (!asked.has(name)) end(one, 'SIGTERM', processes)
      asked.add(name)
    }
    await clock.sleep(LOOK_MS)
    left = find()
    quiet = left.length === 0 ? quiet + 1 : 0
  }
}

function findOrphans(worktreePath: string, processes: ProcessTable): ProcessEntry[] {
  return orphansOf(processes)
    .filter(orphan => orphan.worktreePath === worktreePath)
    .map(({ bearer }) => bearer)
}

/** See `Worktrees.findOrphans`. */
export function findAllOrphans(processes: ProcessTable): readonly OrphanGit[] {
  const orphans = orphansOf(processes)
  const commands = processes.commandsOf(orphans.map(({ bearer }) => bearer))
  return orphans.map(({ bearer: { pid, name }, worktreePath }) => ({
    pid,
    command: commands.get(pid) ?? `[${name}]`,
    worktreePath,
  }))
}

function orphansOf(processes: ProcessTable) {
  const { pidNamespace } = processes.place()
  const orphans: { bearer: ProcessEntry; worktreePath: string }[] = []
  processes.forBearers(BADGE_VARIABLE, (bearer, badge) => {
    const [pid, startTime, session, namespace, worktree = ''] = badge.split(',')
    // A container's processes show here too, and speak of pids that are not ours to know.
    if (`${session},${namespace}` !== encode([bearer.session, pidNamespace])) return
    const starter = { pid: Number(pid), startTime: Number(startTime) }
    if (processes.liveness(starter) !== 'dead') return
    const worktreePath = decode(worktree)
    if (worktreePath !== undefined) orphans.push({ bearer, worktreePath })
  })
  return orphans
}

/** Who started a git, in which session and PID namespace, and for which worktree. */
export function makeBadge(
  starter: ProcessEntry,
  { pidNamespace }: Place,
  worktree: string,
): string {
  return encode([starter.pid, starter.startTime, starter.session, pidNamespace, worktree])
}

/** Whether a badge is of a git that is at work for this worktree. */
export function isBadgeOf(badge: string, worktree: string): boolean {
  return badge.split(',')[4] === encodeURIComponent(worktree)
}

/** Without white space: some systems show environments with blanks between the variables. */
function encode(parts: readonly (string | number)[]): string {
  return parts.map(encodeURIComponent).join()
}

/** Undefined: no badge of ours says that. */
function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

function end(
  { pid, startTime }: LocalIdentity,
  signal: 'SIGTERM' | 'SIGKILL',
  processes: ProcessTable,
): void {
  if (processes.liveness({ pid, startTime }) !== 'alive') return
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended by itself, just now.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
