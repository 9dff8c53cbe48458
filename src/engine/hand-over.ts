/** What an agent is told that goes on where another one has stopped: its words, and its change. */
import { messageOf } from '../domain/errors.ts'
import type { Failure } from '../domain/outcome.ts'
import type { Start } from '../domain/snapshot.ts'
import type { Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreeRecord, Worktrees } from '../ports/worktrees.ts'

/** A larger patch is in the working tree anyway, and would leave no room for thinking. */
const PATCH_BYTES = 32 * 1024
/** So far back its last words are looked for. */
const EVENTS_SEEN = 500

interface HandOverPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
}

export async function describeHandOver(
  task: Task,
  worktree: WorktreeRecord,
  interruptedBy: Failure | null,
  ports: HandOverPorts,
): Promise<string> {
  const { id, agent, fallback } = task.request
  const before = [agent, ...fallback][task.fallbacks - 1] ?? agent
  const why = interruptedBy === null ? '' : ` (${interruptedBy.message})`
  const events = await ports.store.lastEvents(id, EVENTS_SEEN)
  const words = events.findLast(({ body }) => body.kind === 'message_ended')?.body
  const said = words?.kind === 'message_ended' ? `\n\nIts last words were:\n\n${words.text}` : ''
  return (
    `\n\nAnother agent, ${before}, began this task and could not go on${why}. What it did is in the working tree: ` +
    `check it before you repeat anything with side effects, then finish the task.${said}` +
    `\n\n${await describeChange(task, worktree, ports)}\n`
  )
}

/** What an agent is told whose worktree has the files of an earlier one, of which nothing else is left. */
export function describeStart({ leftOut }: Start): string {
  const missing = leftOut.length === 0 ? '' : `\n\nNot in it:\n\n${leftOut.join('\n')}`
  return (
    '\n\nThis task was begun before, in a worktree that was deleted. What was done there is in the ' +
    'working tree, as it was some minutes before: check it before you repeat anything with side ' +
    `effects, then finish the task.${missing}\n`
  )
}

async function describeChange(
  task: Task,
  worktree: WorktreeRecord,
  ports: HandOverPorts,
): Promise<string> {
  const { id, base } = task.request
  try {
    const { files, worktrees } = ports
    const place = files.directory(id)
    const bytes = await worktrees.diffNow(worktree, base, id, place, files.setUpTime(worktree.id))
    if (bytes.length === 0) return 'It has changed no file.'
    return bytes.length <= PATCH_BYTES
      ? `It has changed this:\n\n${new TextDecoder().decode(bytes)}`
      : 'Its change is too large to be shown here: see git status and git diff.'
  } catch (error) {
    return `What it changed cannot be shown: ${messageOf(error)}`
  }
}
