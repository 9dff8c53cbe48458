/** The commits of a task, in a repository that need not have them any more. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import type { TaskCommits } from '../../ports/worktrees.ts'
import type { Git, GitPlace } from '../git/git.ts'

/** `where`: what a refusal names. */
export interface WantedObjects extends Omit<TaskCommits, 'commonDir'> {
  readonly where: string
}

/** See `Worktrees.requireTaskCommits`. */
export async function requireTaskCommits(git: Git, order: TaskCommits): Promise<void> {
  const { commonDir } = order
  if (!existsSync(commonDir)) {
    throw new AppError('not_a_repository', `the repository ${commonDir} is gone`)
  }
  await requireObjects(git, { ...order, where: commonDir }, { gitDir: commonDir }, commonDir)
}

/** The base and the result, from the task's bundle where the target has them not, or no longer. */
export async function requireObjects(
  git: Git,
  { task, base, result, where, directory }: WantedObjects,
  place: GitPlace,
  repository: string,
): Promise<void> {
  const wanted = [base.commit, baseTreeCommit(base), result]
  const [from, ...others] = await Promise.all(wanted.map(commit => hasCommit(git, place, commit)))
  if (from !== true) {
    throw new AppError(
      'unrelated_repository',
      `${where} does not have the commit ${base.commit} that ${task} started from`,
      { hint: `take it as a patch instead: holdfast diff ${task} | git apply --3way` },
    )
  }
  if (!others.includes(false)) return
  const bundle = join(directory, 'result.bundle')
  if (!existsSync(bundle)) {
    throw new AppError('no_result', `the commits of ${task} are gone, and so is ${bundle}`, {
      hint: `holdfast diff ${task}, if its patch is still there`,
    })
  }
  await git.run(['index-pack', '--stdin', '--fix-thin'], {
    place: { gitDir: repository },
    input: packOf(readFileSync(bundle)),
  })
}

export async function hasCommit(git: Git, place: GitPlace, commit: CommitId): Promise<boolean> {
  const { status } = await git.run(['cat-file', '-e', `${commit}^{commit}`], {
    place,
    answers: [1, 128],
  })
  return status === 0
}

/**
 * A bundle is a few lines, an empty one, and a pack. `git bundle unbundle` wants the base to be
 * reachable from a ref, which one that was amended away is not.
 */
function packOf(bundle: Buffer): Buffer {
  return bundle.subarray(bundle.indexOf('\n\n') + 2)
}
