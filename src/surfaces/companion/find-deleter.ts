/** Who may delete the directory that a job is asked in, while it works there. */
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'

/**
 * Of a worktree in a temporary directory, in words. A repository that lies there itself goes with all
 * that it has, and keeps its tasks no better elsewhere. Worktrees of other tools, and locked ones,
 * the engine refuses to work in. Null: nobody is known to.
 */
export function findDeleter({
  directory,
  environment,
}: Pick<CommandContext, 'directory' | 'environment'>): string | null {
  const root = findCheckout(directory)?.root
  if (root === undefined || isWhole(root)) return null
  const temporary = [environment.TMPDIR || '/tmp', '/tmp', '/var/tmp'].flatMap(real)
  const [place] = real(root)
  return temporary.some(parent => place?.startsWith(`${parent}/`))
    ? `${root} is a worktree in a temporary directory`
    : null
}

/** Its git directory is in it: it is no linked worktree. */
function isWhole(root: string): boolean {
  return statSync(join(root, '.git'), { throwIfNoEntry: false })?.isDirectory() === true
}

function real(path: string): readonly string[] {
  try {
    return [realpathSync(path)]
  } catch {
    return [] // There is no such directory.
  }
}
