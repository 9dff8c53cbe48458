import { hasEnded, type Task } from '../../domain/task.ts'
import { isSameCaller } from '../caller.ts'
import type { CommandContext } from '../cli/command.ts'

/** How many of the newest tasks are looked through. */
const LOOK_BACK = 200

/**
 * The newest task of this caller whose session could go on with something new. Of one agent, or of
 * any. A session that is at work is not there for anything else, and one that may only read is not
 * asked to do something.
 */
export async function findResumable(
  agent: string | null,
  { holdfast, caller }: CommandContext,
): Promise<Task | undefined> {
  if (!holdfast.isInUse()) return undefined
  const store = await holdfast.store()
  const newest = (await store.listTasks({ limit: LOOK_BACK })).find(
    task =>
      isSameCaller(task.request.caller, caller) &&
      (agent === null || task.agent === agent) &&
      task.session !== null &&
      task.request.permissions.effective !== 'read-only',
  )
  if (newest === undefined || !hasEnded(newest.state)) return undefined
  // It will go on in another worktree.
  const { planSessionMove } = await holdfast.agent(newest.agent)
  return planSessionMove === undefined ? undefined : newest
}
