/** Takes a result home as a branch. */
import { AppError } from '../domain/errors.ts'
import type { CommitId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { requireResult } from './apply.ts'

export interface BranchPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
}

interface Branched {
  readonly name: string
  readonly commit: CommitId
  /** False: it was there, the same. */
  readonly isNew: boolean
  /** The first line of what was asked. */
  readonly title: string
}

const TITLE_LENGTH = 72

/** Refuses as `Worktrees.makeBranch` does, and with `no_result` where the agent changed nothing. */
export async function branchTask(
  task: Task,
  name: string,
  withBaseChanges: boolean,
  { store, files, worktrees, clock }: BranchPorts,
): Promise<Branched> {
  const { commit: result, files: changed } = requireResult(task)
  const { id, base, repo } = task.request
  if (changed === 0) throw new AppError('no_result', `${id} changed nothing`)
  const { title, message } = await describeCommit(task, files)
  const { commonDir } = repo
  const order = { commonDir, base, result, name, message, withBaseChanges }
  const made = await worktrees.makeBranch(order)
  if (task.taken === null) {
    const taken = { how: 'branched', at: clock.now(), where: name, number: null } as const
    await store.recordTaken(id, taken, `branch ${name}`, clock.now())
  }
  return { name, ...made, title }
}

/** `title`: the first line of what was asked. */
export async function describeCommit(
  { request: { id, name } }: Task,
  files: TaskFiles,
): Promise<{ readonly title: string; readonly message: string }> {
  const prompt = new TextDecoder().decode(await files.readPrompt(id))
  const asked = prompt.trim().split('\n')[0] ?? ''
  const title = shorten(asked === '' ? name : asked)
  return { title, message: `${title}\n\nHoldfast-Task: ${id}` }
}

function shorten(text: string): string {
  const letters = [...text]
  return letters.length <= TITLE_LENGTH ? text : `${letters.slice(0, TITLE_LENGTH - 1).join('')}…`
}
