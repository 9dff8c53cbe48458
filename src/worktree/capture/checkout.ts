import { existsSync, realpathSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { parseCommitId } from '../../domain/ids.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { type Git, GitError } from '../git/git.ts'

/**
 * In this order: git prints each before it fails on the next, so the number of answers says which
 * one it failed on. No other call is needed.
 */
const QUESTIONS = [
  '--is-bare-repository',
  '--is-inside-work-tree',
  '--show-object-format',
  '--path-format=absolute',
  '--absolute-git-dir',
  '--git-common-dir',
  '--show-toplevel',
  'HEAD^{commit}',
  'HEAD^{tree}',
]
const ANSWERS = QUESTIONS.length - 1

/** See `Worktrees.openCheckout`. One spawn. */
export async function openCheckout(git: Git, directory: string): Promise<Checkout> {
  const { status, stdout, stderr } = await git.run(['rev-parse', ...QUESTIONS], {
    cwd: directory,
    answers: [128],
  })
  const lines = stdout.toString('utf8').split('\n').slice(0, -1)
  const [bare, inside, format, gitDir, commonDir, root] = lines
  const cause = status === 0 ? undefined : new GitError('rev-parse', status, null, stderr)

  if (bare === undefined) throw notFound(directory, stderr, cause)
  if (bare === 'true' || inside !== 'true') {
    const what = bare === 'true' ? 'a bare repository' : 'the inside of a git directory'
    throw new AppError('refused_in_state', `${directory} is ${what}; it has no working files`, {
      hint: 'run it in a checkout of the repository',
      cause,
    })
  }
  // The format has no way to quote a path: one more line than asked for is a newline in one.
  const paths = lines.slice(3, status === 0 ? -2 : undefined)
  if (lines.length > ANSWERS || paths.slice(0, 3).some(path => !path.startsWith('/'))) {
    throw new AppError(
      'refused_in_state',
      `the path of the repository contains a newline: ${JSON.stringify(paths.join('\n'))}`,
      { hint: 'rename that directory', cause },
    )
  }
  const head = parseCommitId(lines[6] ?? '')
  const headTree = parseCommitId(lines[7] ?? '')
  if (status !== 0 || head === undefined || headTree === undefined) {
    throw new AppError('no_commit', `HEAD of ${root} has no commit to start from`, {
      hint: 'commit something first',
      cause,
    })
  }
  if (gitDir === undefined || commonDir === undefined || root === undefined) {
    throw new AppError('capture_failed', `git rev-parse gave no paths for ${directory}`)
  }
  return {
    place: {
      root,
      commonDir,
      subdirectory: relative(root, realpathSync(directory)).split(sep).join('/'),
    },
    gitDir,
    head,
    headTree,
    objectFormat: format === 'sha256' ? 'sha256' : 'sha1',
  }
}

/**
 * A repository that an agent made inside of its worktree has settings of the agent's: a filter in
 * them would run in our git, with the rights of whoever asks.
 */
export function refuseAgentsOwn({ gitDir, place }: Checkout, agentsRoot: string): void {
  if (!existsSync(agentsRoot) || !gitDir.startsWith(`${realpathSync(agentsRoot)}/`)) return
  throw new AppError('refused_in_state', `${place.root} is a repository that an agent made`, {
    hint: 'its settings are not to be trusted here: clone it to a place of your own, and run it there',
  })
}

function notFound(directory: string, stderr: string, cause: GitError | undefined): AppError {
  const said = stderr.trim()
  // Git has no exit status of its own for this one.
  if (said.includes('dubious ownership')) {
    return new AppError('refused_in_state', said, {
      hint: 'the repository belongs to somebody else; git names the command that trusts it',
      cause,
    })
  }
  return new AppError('not_a_repository', `${directory} is not in a git repository (${said})`, {
    hint: 'run it in a checkout, or `git init` and commit first',
    cause,
  })
}
