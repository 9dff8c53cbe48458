/** An ignored file that a set-up has named, that its user has, and that did not come along. */
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'

/** What a path looks like in a message; quotes, brackets and colons end it. */
const PATH = /[\w.@+~-]*(?:\/[\w.@+~-]+)*/g
/** Made anew by the set-up itself: that one is not there is what went wrong, and not why. */
const INSTALLED = /(?:^|\/)(?:node_modules|\.venv|venv|vendor|target|__pycache__)\//
/** So many names are looked for; a message has a few. */
const MOST_LOOKED_FOR = 200

/** Its path from the top of the checkout at `root`; null: there is none, or it cannot be told. */
export async function findMissing(
  words: string,
  root: string,
  worktree: WorktreeRecord,
  worktrees: Worktrees,
): Promise<string | null> {
  const named = pathsIn(words, worktree.path).filter(
    path => !worktrees.isThere(`${worktree.path}/${path}`) && worktrees.isThere(`${root}/${path}`),
  )
  if (named.length === 0) return null
  try {
    const { ignored } = await worktrees.listIgnored(await worktrees.openCheckout(root))
    // Of a directory that is ignored as a whole there is only the name, with a slash.
    const isIgnored = (path: string) =>
      ignored.some(one => one === path || (one.endsWith('/') && path.startsWith(one)))
    return named.find(isIgnored) ?? null
  } catch {
    // The checkout is gone, or cannot be looked at: it is a hint, and no more.
    return null
  }
}

/** Without those that lead out of the worktree. */
function pathsIn(words: string, worktree: string): readonly string[] {
  const inside = words.replaceAll(`${worktree}/`, '')
  const found = new Set((inside.match(PATH) ?? []).map(path => path.replace(/^\.\//, '')))
  return [...found]
    .filter(path => path !== '' && !path.startsWith('/') && !path.split('/').includes('..'))
    .filter(path => path !== '.' && !INSTALLED.test(`${path}/`))
    .slice(0, MOST_LOOKED_FOR)
}
