/** What is asked of a repository's remotes. */
import { AppError } from '../../domain/errors.ts'
import { type Git, GitError } from './git.ts'

/** See `Worktrees.listRemotes`. */
export async function listRemotes(git: Git, commonDir: string): Promise<readonly string[]> {
  const { stdout } = await git.run(['remote'], { place: { gitDir: commonDir } })
  return stdout
    .toString('utf8')
    .split('\n')
    .filter(name => name !== '')
}

/** See `Worktrees.defaultBranch`. `git clone` writes it down. */
export async function defaultBranch(
  git: Git,
  commonDir: string,
  remote: string,
): Promise<string | null> {
  const head = `refs/remotes/${remote}/HEAD`
  const { status, stdout } = await git.run(['symbolic-ref', '--quiet', head], {
    place: { gitDir: commonDir },
    answers: [1],
  })
  const prefix = `refs/remotes/${remote}/`
  const ref = stdout.toString('utf8').trim()
  return status === 0 && ref.startsWith(prefix) ? ref.slice(prefix.length) : null
}

/** See `Worktrees.push`. */
export async function push(
  git: Git,
  commonDir: string,
  remote: string,
  branch: string,
): Promise<void> {
  const ref = `refs/heads/${branch}`
  try {
    await git.run(['push', '--quiet', '--no-verify', '--end-of-options', remote, `${ref}:${ref}`], {
      place: { gitDir: commonDir },
    })
  } catch (cause) {
    if (!(cause instanceof GitError)) throw cause
    throw new AppError('push_failed', `${branch} was not pushed to ${remote}: ${cause.stderr}`, {
      hint: 'the branch is there: push it yourself, and open the pull request by hand',
      cause,
    })
  }
}

/** See `Worktrees.listMirrors`. */
export async function listMirrors(git: Git, commonDir: string): Promise<readonly string[]> {
  const words = ['config', '-z', '--get-regexp', '^remote\\..*\\.(mirror|push)$']
  const { stdout } = await git.run(words, { place: { gitDir: commonDir }, answers: [1] })
  const mirrors = new Set<string>()
  for (const entry of stdout.toString('utf8').split('\0')) {
    const [key = '', value = 'true'] = entry.split('\n', 2)
    const [, remote, what] = /^remote\.(.*)\.(mirror|push)$/.exec(key) ?? []
    if (remote === undefined) continue
    const isAll = what === 'mirror' ? isTrue(value) : ALL_REFS.test(value)
    if (isAll) mirrors.add(remote)
  }
  return [...mirrors]
}

/** `+refs/*:refs/*`, and the same with something in front. */
const ALL_REFS = /^\+?refs\/\*(?::|$)/
const isTrue = (value: string) => !/^(?:false|no|off|0|)$/i.test(value)
