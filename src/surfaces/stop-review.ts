/** Where a session of Claude Code stops only after a review: what the user has set, and its switch. */
import type { UserSettings } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import { findCheckout, findCommonGitDir } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'

/** In all checkouts of a repository, or in none of them. */
export function isStopReviewed({ stopReview }: UserSettings, directory: string): boolean {
  if (typeof stopReview === 'boolean' || stopReview === undefined) return stopReview === true
  const repository = findCommonGitDir(directory)
  return repository !== undefined && stopReview.some(one => findCommonGitDir(one) === repository)
}

/** Refuses with `not_a_repository`, and with `refused_in_state` what is for the user to do. */
export async function switchStopReview(on: boolean, context: SurfaceContext): Promise<void> {
  const { holdfast, caller, directory, isTyped } = context
  if (caller.kind === 'task') {
    throw new AppError('refused_in_state', 'a task cannot change what its user has set', {
      hint: 'in a terminal of yours: holdfast setup --enable-review-gate',
    })
  }
  if (caller.kind === 'claude' && isTyped !== true) {
    const flag = `--${on ? 'enable' : 'disable'}-review-gate`
    throw new AppError('refused_in_state', 'a session cannot change what its user has set for it', {
      hint: `type it into the prompt: /holdfast:setup ${flag}; or in a terminal of yours: holdfast setup ${flag}`,
    })
  }
  const checkout = findCheckout(directory)
  if (checkout === undefined) {
    throw new AppError('not_a_repository', `${directory} is in no git repository`, {
      hint: 'cd to the checkout that it is about',
    })
  }
  await holdfast.changeUserSettings(({ stopReview }) => {
    if (stopReview === true && !on) {
      throw new AppError('refused_in_state', 'stopReview is true: it is on in all checkouts', {
        hint: `change it in ${holdfast.home}/config.json`,
      })
    }
    if (stopReview === true) return {}
    const others = (stopReview || []).filter(one => findCommonGitDir(one) !== checkout.commonDir)
    const all = on ? [...others, checkout.root] : others
    return { stopReview: all.length === 0 ? undefined : all }
  })
}
