/**
 * Lock files of gits that were killed. Git holds one for a moment, and removes it when it ends in
 * order; one that is left keeps every later git from what it locks. Only in what is ours of a
 * repository, and only where nobody can be at work: an editor may be open for a commit for hours.
 */
import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../ports/clock.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { WorktreePlan } from '../../ports/worktrees.ts'
import { BADGE_VARIABLE } from '../git/git.ts'
import { isBadgeOf } from '../git/orphans.ts'
import { findRegistration, isLockedFor } from '../git/registration.ts'
import { asGitNames } from './lost.ts'

/** No git of ours takes so long, whatever it writes. */
const STALE_MS = 15 * 60_000

/** See `Worktrees.findStaleLocks`. */
export function findStaleLocks(
  { id, path, commonDir }: WorktreePlan,
  clock: Clock,
  processes: ProcessTable,
): readonly string[] {
  const named = asGitNames(path)
  const registration = findRegistration(commonDir, named)
  const own = registration !== undefined && isLockedFor(registration, id) ? [registration] : []
  const stale = [...own, join(commonDir, 'refs', 'holdfast', id)]
    .flatMap(locksIn)
    .filter(lock => isOld(lock, clock))
  if (stale.length === 0 || isAnybodyThere(named, processes)) return []
  return stale
}

/** See `Worktrees.removeStaleLock`. */
export function removeStaleLock(
  place: WorktreePlan,
  path: string,
  clock: Clock,
  processes: ProcessTable,
): void {
  if (findStaleLocks(place, clock, processes).includes(path)) rmSync(path, { force: true })
}

function locksIn(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter(name => name.endsWith('.lock'))
    return names.map(name => join(directory, name))
  } catch {
    // There is none.
    return []
  }
}

function isOld(path: string, clock: Clock): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && clock.now() - stats.mtimeMs > STALE_MS
}

/** Also a shell that only looks in: it may be about to go on. And a git of ours, from wherever. */
function isAnybodyThere(worktree: string, processes: ProcessTable): boolean {
  return processes
    .scan(BADGE_VARIABLE, 0, () => undefined)
    .some(
      ({ mark, directory }) =>
        (mark !== null && isBadgeOf(mark, worktree)) ||
        directory === worktree ||
        directory?.startsWith(`${worktree}/`) === true,
    )
}
