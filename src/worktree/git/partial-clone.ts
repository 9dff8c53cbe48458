/**
 * In a partial clone git fetches what it lacks when it needs it, also in the middle of a checkout,
 * and from a remote that may be gone or silent. Git itself sets no limit to that.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { GitError } from './git.ts'
import type { BadgedGit } from './orphans.ts'

/** Long enough for the files of a large repository over a slow line; nobody waits before a screen. */
export const FETCH_LIMIT_MS = 30 * 60_000

/** Packs that came from a filtered fetch are marked as such. */
export function isPartialClone(commonDir: string): boolean {
  try {
    return readdirSync(join(commonDir, 'objects', 'pack')).some(name => name.endsWith('.promisor'))
  } catch {
    // It has no packs.
    return false
  }
}

/** Does what may fetch, and ends it, with all that it has started, after the limit. */
export async function withinLimit<T>(
  git: BadgedGit,
  limitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  let isOver = false
  let ending: Promise<void> | undefined
  const timer = setTimeout(() => {
    isOver = true
    ending = git.endAll()
    // Awaited below, after the work: that is what it ends.
    ending.catch(() => undefined)
  }, limitMs)
  try {
    return await work()
  } catch (error) {
    if (!isOver) throw error
    const minutes = Math.round(limitMs / 60_000)
    throw new AppError(
      'refused_in_state',
      `git has not fetched what this partial clone lacks within ${minutes} min`,
      { hint: 'see whether its remote answers: git fetch', cause: error },
    )
  } finally {
    clearTimeout(timer)
    await ending
  }
}

/** What to do about a fetch that failed in the midst of something else; undefined: none did. */
export function fetchHint(error: unknown): string | undefined {
  if (!(error instanceof GitError) || !/promisor remote/.test(error.stderr)) return undefined
  return 'the repository is a partial clone, and its remote did not give what it lacks; try again when it answers'
}
