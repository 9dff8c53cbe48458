/** What has ended, or asks something, and a caller session was not shown yet. */
import type { Delivery } from '../../domain/delivery.ts'
import type { Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCommonGitDir } from '../common-git-dir.ts'

/** More would not be read; the inbox has them all. */
export const MOST_LINES = 5

export interface Untold {
  readonly delivery: Delivery
  readonly task: Task
}

/** Of this session, or of the repository that it stands in; the newest first. */
export async function listUntold(
  session: string,
  { holdfast, directory }: CommandContext,
): Promise<readonly Untold[]> {
  const store = await holdfast.store()
  const inbox = await store.listInbox({})
  if (inbox.length === 0) return []
  const shown = await (await holdfast.pluginFiles()).listShown(session)
  const repository = findCommonGitDir(directory)
  const untold: Untold[] = []
  for (const delivery of inbox) {
    if (shown.has(delivery.id)) continue
    const task = await store.findTask(delivery.task).catch(() => undefined) // Its row is damaged.
    if (task === undefined) continue
    const { caller, repo } = task.request
    const isMine = caller.kind === 'claude' && caller.id === session
    if (isMine || repo.commonDir === repository) untold.push({ delivery, task })
  }
  return untold
}

/** A line each, and how many more there are. */
export function describeUntold(untold: readonly Untold[]): string {
  const shown = untold.length > MOST_LINES ? untold.slice(0, MOST_LINES - 1) : untold
  const lines = shown.map(line)
  const more = untold.length - shown.length
  if (more > 0) lines.push(`- and ${more} more: holdfast inbox`)
  return lines.join('\n')
}

function line({ delivery, task }: Untold): string {
  const { id, name } = task.request
  const asks = delivery.event === 'needs_input'
  const what = asks ? 'asks something' : delivery.event
  return `- ${name} (${task.agent}) ${what}: holdfast ${asks ? 'status' : 'result'} ${id}`
}
