import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import { type Git, GitError } from '../git/git.ts'
import { findModules, modulesOf } from './submodules.ts'

/**
 * What a checkout is taken as: what a task starts from, what a worktree was when it was retired, what
 * a checkout was right after a hand-off, or right before a hand-back, or is only compared with.
 */
export type TakenAs = 'base' | 'seen' | `snapshot/${number}` | HandState
export type HandState = 'handed' | 'returned'

/** All that we write into a repository's refs lies below this. */
export const refOf = (task: string, what: TakenAs | 'result' | 'start' | `undo/${number}`) =>
  `refs/holdfast/${task}/${what}`

/** See `Worktrees.holdBase`. One spawn, and one for each submodule. */
export async function holdBase(
  git: Git,
  commonDir: string,
  task: TaskId,
  base: Base,
): Promise<void> {
  if (!existsSync(commonDir)) {
    throw new AppError('not_a_repository', `the repository ${commonDir} is gone`)
  }
  for (const { name, base: inner } of base.submodules ?? []) {
    await holdBase(git, join(modulesOf(commonDir), name), task, inner)
  }
  try {
    await git.run(['update-ref', refOf(task, 'base'), baseTreeCommit(base)], {
      place: { gitDir: commonDir },
    })
  } catch (cause) {
    if (!(cause instanceof GitError)) throw cause
    throw new AppError('no_commit', `what the task started from is no longer in ${commonDir}`, {
      hint: 'hand it in anew with: holdfast run',
      cause,
    })
  }
}

/** One spawn for each repository; no ref, or no repository, is no error. */
export async function dropTaken(git: Git, commonDir: string, ref: string): Promise<void> {
  if (!existsSync(commonDir)) return
  const modules = findModules(commonDir).filter(gitDir => mayHaveRef(gitDir, ref))
  // In the order that they were made.
  for (const gitDir of [...modules, commonDir]) {
    await git.run(['update-ref', '-d', ref], { place: { gitDir } })
  }
}

/** Without a spawn; of a ref, or of a directory of refs. */
export function mayHaveRef(gitDir: string, name: string): boolean {
  const packed = join(gitDir, 'packed-refs')
  if (existsSync(join(gitDir, name))) return true
  return existsSync(packed) && readFileSync(packed, 'latin1').includes(name)
}
