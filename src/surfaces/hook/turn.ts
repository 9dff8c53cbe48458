/** Where sessions stop only after a review: how things stand when a turn begins, and now. */
import type { Standing } from '../../domain/turn.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { isStopReviewed } from '../stop-review.ts'
import type { HookInput } from './input.ts'

/** Writes down how things stand as a turn begins. One that was not brought to an end goes on. */
export async function beginTurn(input: HookInput, context: CommandContext): Promise<void> {
  const { now } = await standingIfReviewed(input, context)
  if (now === undefined) return
  const files = await context.holdfast.pluginFiles()
  const before = await files.findTurn(input.session)
  if (before?.isOpen === true && before.from.root === now.root) return
  await files.keepTurn(input.session, { from: now, isOpen: true, rounds: 0, review: null })
}

/** Of more files nobody could say one by one what became of them. */
const MOST_FILES = 5_000

/** `now`: undefined where sessions stop as they like. */
export async function standingIfReviewed({ directory }: HookInput, { holdfast }: CommandContext) {
  // What a repository says has no say in it.
  const configuration = await holdfast.configuration(null)
  const isReviewed = isStopReviewed(configuration.user, directory)
  if (!isReviewed || findCheckout(directory) === undefined) return { configuration, now: undefined }
  const worktrees = await holdfast.worktrees()
  const checkout = await worktrees.openCheckout(directory)
  const { files } = await worktrees.surveyChanges(checkout)
  const now: Standing = {
    root: checkout.place.root,
    head: checkout.head,
    files: files.size > MOST_FILES ? null : Object.fromEntries(files),
  }
  return { configuration, now }
}
