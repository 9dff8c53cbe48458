/**
 * Which repository somebody stands in, found without git: a look at a list should cost neither a
 * process nor the code that starts one.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** The common git directory of the checkout around a directory, its real path; undefined without one. */
export function findCommonGitDir(directory: string): string | undefined {
  return findCheckout(directory)?.commonDir
}

/** The checkout around a directory: its top, and the common git directory; undefined without one. */
export function findCheckout(directory: string): { root: string; commonDir: string } | undefined {
  const commonDir = commonDirBehind(join(directory, '.git'))
  if (commonDir !== undefined) return { root: directory, commonDir }
  const parent = dirname(directory)
  return parent === directory ? undefined : findCheckout(parent)
}

/**
 * `.git` is the git directory itself, or, in a linked worktree or a submodule, a file that names
 * it. That of a linked worktree names, in turn, the one that it shares.
 */
function commonDirBehind(path: string): string | undefined {
  try {
    const gitDir = statSync(path).isDirectory()
      ? path
      : resolve(
          dirname(path),
          readFileSync(path, 'utf8')
            .replace(/^gitdir: /, '')
            .trimEnd(),
        )
    if (!existsSync(join(gitDir, 'HEAD'))) return undefined
    const pointer = join(gitDir, 'commondir')
    const named = existsSync(pointer) ? readFileSync(pointer, 'utf8').trimEnd() : '.'
    return realpathSync(resolve(gitDir, named))
  } catch {
    // Missing, or not for us to read. This only puts tasks in order: further up may be another.
    return undefined
  }
}
