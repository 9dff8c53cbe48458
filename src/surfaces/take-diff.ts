import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import type { UnreadableTask } from '../ports/store.ts'
import type { SurfaceContext } from './context.ts'
import { idOf, isUnreadable, refuseUnreadable } from './find-task.ts'
import type { DiffView } from './view.ts'

/** What an agent changed, as a patch; while it runs, so far. */
export async function takeDiff(
  task: Task | UnreadableTask,
  context: SurfaceContext,
): Promise<{ readonly patch: Uint8Array; readonly counts: Omit<DiffView, 'id' | 'patch'> }> {
  const patch = await findPatch(task, context)
  const state = isUnreadable(task) ? undefined : task.state
  const result = state !== undefined && hasEnded(state) ? state.result : null
  const { files, insertions, deletions } = result ?? countPatch(patch)
  return { patch, counts: { files, insertions, deletions } }
}

/** As a document: bytes that are no UTF-8 are replaced. */
export async function viewDiff(
  task: Task | UnreadableTask,
  context: SurfaceContext,
): Promise<DiffView> {
  const { patch, counts } = await takeDiff(task, context)
  return { id: idOf(task), ...counts, patch: Buffer.from(patch).toString('utf8') }
}

/** The collected patch; of a task that has not ended, one taken from its worktree now. */
async function findPatch(
  task: Task | UnreadableTask,
  { holdfast }: SurfaceContext,
): Promise<Uint8Array> {
  const files = await holdfast.files()
  // The task directory answers where the store cannot.
  if (isUnreadable(task)) return (await files.readPatch(task.id)) ?? refuseUnreadable(task)
  const { id, base, workplace } = task.request
  if (hasEnded(task.state)) {
    const patch = task.state.result?.commit == null ? undefined : await files.readPatch(id)
    if (patch !== undefined) return patch
    throw new AppError('no_result', `${id} ${task.state.name} before anything was collected`, {
      hint: task.worktree === null ? 'it never had a worktree' : `look in ${task.worktree.path}`,
    })
  }
  const worktree = await (await holdfast.store()).findWorktree(workplace.id)
  if (worktree?.record == null) {
    throw new AppError('not_finished', `${id} has no worktree yet: it is ${task.state.name}`, {
      hint: `holdfast wait ${id}`,
    })
  }
  const worktrees = await holdfast.worktrees()
  const { record } = worktree
  const setUpAt = files.setUpTime(record.id)
  using scratch = (await holdfast.store()).isReadOnly ? scratchElsewhere() : null
  const place = scratch?.directory ?? files.directory(id)
  return await worktrees.diffNow(record, base, id, place, setUpAt)
}

/** Where nothing can be written into the state directory. */
function scratchElsewhere(): Disposable & { readonly directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-diff-'))
  return {
    directory,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** Counts what a patch of text files says; lines within hunks only. */
function countPatch(patch: Uint8Array): { files: number; insertions: number; deletions: number } {
  let files = 0
  let insertions = 0
  let deletions = 0
  let inHunk = false
  for (const line of Buffer.from(patch).toString('latin1').split('\n')) {
    if (line.startsWith('diff --git ')) {
      files++
      inHunk = false
    } else if (line.startsWith('@@ ')) inHunk = true
    else if (inHunk && line.startsWith('+')) insertions++
    else if (inHunk && line.startsWith('-')) deletions++
  }
  return { files, insertions, deletions }
}
