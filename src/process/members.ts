/**
 * Which processes belong to an attempt: pure, so that it can be tested as a table. Tools put
 * themselves outside of every single criterion (own session, emptied environment, other
 * directory), so membership spreads until nothing is added.
 *
 * Never a member: a process that bears the mark of *another* attempt, which is a task of its own
 * that this one delegated, nor what is reached only through such a process. Nor, by its directory
 * alone, a process with a terminal and no mark: that is the user's own shell, looking in.
 */
import type { FoundProcess } from '../ports/process-host.ts'
import type { SeenProcess } from '../ports/process-table.ts'

export type Because = FoundProcess['because']

/** What is known of the attempt beforehand. */
export interface Evidence {
  readonly ownsMark: (mark: string) => boolean
  /** Whether it is known by pid and start time: it wrote itself down, or was found before. */
  readonly knows: (process: SeenProcess) => boolean
  /** The names of the managed worktree's directory; empty: there is none. */
  readonly worktree: readonly string[]
  /**
   * Its process sessions and groups are its own. One that runs at a terminal shares them with whoever
   * opened it: the shell, and all else that was started there.
   */
  readonly ownsSessions: boolean
}

/** Pid → why, for each member among `seen`, which are live processes that may be ended by us. */
export function selectMembers(
  seen: readonly SeenProcess[],
  evidence: Evidence,
): ReadonlyMap<number, Because> {
  const isForeign = (p: SeenProcess) => p.mark !== null && !evidence.ownsMark(p.mark)
  const own = seen.filter(p => !isForeign(p))
  const members = new Map<number, Because>()
  for (const p of own) if (p.mark !== null || evidence.knows(p)) members.set(p.pid, 'mark')
  spread(own, members, evidence.ownsSessions ? ['descent', 'session'] : ['descent'])

  const reachedByForeign = new Map<number, Because>()
  for (const p of seen) if (isForeign(p)) reachedByForeign.set(p.pid, 'mark')
  spread(seen, reachedByForeign, ['descent', 'session'])

  for (const p of own) {
    const standsThere = evidence.worktree.some(worktree => isInside(p.directory, worktree))
    if (!standsThere || p.terminal || members.has(p.pid) || reachedByForeign.has(p.pid)) continue
    members.set(p.pid, 'directory')
  }
  // Not by session: whoever stands there came with one that may be anybody's.
  spread(own, members, ['descent'])
  return members
}

/** Adds to `members` whom they lead to, until nobody is added. */
function spread(
  processes: readonly SeenProcess[],
  members: Map<number, Because>,
  ways: readonly ('descent' | 'session')[],
): void {
  const children = groupBy(processes, p => p.parent)
  const groups = groupBy(processes, p => p.group)
  const sessions = groupBy(processes, p => p.session)
  const queue = processes.filter(p => members.has(p.pid))
  const add = (reached: readonly SeenProcess[] | undefined, because: Because) => {
    for (const p of reached ?? []) {
      if (members.has(p.pid)) continue
      members.set(p.pid, because)
      queue.push(p)
    }
  }
  for (let p = queue.pop(); p !== undefined; p = queue.pop()) {
    add(children.get(p.pid), 'descent')
    if (!ways.includes('session')) continue
    // 0 stands for "outside of our PID namespace": nobody's session, but many bear it.
    if (p.session > 1) add(sessions.get(p.session), 'session')
    if (p.group > 1) add(groups.get(p.group), 'session')
  }
}

function groupBy(processes: readonly SeenProcess[], key: (p: SeenProcess) => number) {
  const groups = new Map<number, SeenProcess[]>()
  for (const p of processes) {
    const group = groups.get(key(p))
    if (group === undefined) groups.set(key(p), [p])
    else group.push(p)
  }
  return groups
}

function isInside(directory: string | null, worktree: string): boolean {
  return directory === worktree || directory?.startsWith(`${worktree}/`) === true
}
