import { AppError, messageOf } from '../../domain/errors.ts'
import { GitError } from './git.ts'

/** By what git or the system has said. */
export function isDiskFull(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return error instanceof GitError ? error.isFull : ['ENOSPC', 'EDQUOT'].includes(code)
}

/** That the disk is full, as a refusal; undefined: it is something else. */
export function findNoSpace(error: unknown, what: string, hint: string): AppError | undefined {
  if (!isDiskFull(error)) return undefined
  return new AppError('no_space', `${what}: ${messageOf(error)}`, { hint, cause: error })
}
