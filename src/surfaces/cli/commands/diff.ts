import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import type { UnreadableTask } from '../../../ports/store.ts'
import { type CommandContext, defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { idOf, isUnreadable, refuseUnreadable, requireTaskAnyhow } from '../find-task.ts'
import { offerApply } from '../untaken.ts'

const usage = 'diff [TASK]'

export const diff = defineCommand({
  name: 'diff',
  group: 'Take',
  summary: 'What the agent changed, as a patch; while it runs, so far',
  usage,
  flags: { stat: { about: 'only the counts' }, ...jsonFlag },
  examples: ['holdfast diff fix-the-login', 'holdfast diff k3v9 | git apply --3way'],
  async run({ flags, words }, context) {
    const { output } = context
    const task = await requireTaskAnyhow(optionalWord(words, usage), context)
    const id = idOf(task)
    const patch = await findPatch(task, context)
    const state = isUnreadable(task) ? undefined : task.state
    const stat = state !== undefined && hasEnded(state) ? state.result : null
    if (flags.json === true || flags.stat === true) {
      const { files, insertions, deletions } = stat ?? countPatch(patch)
      if (flags.json === true) {
        const text = Buffer.from(patch).toString('utf8')
        output.writeJson({ id, files, insertions, deletions, patch: text })
      } else {
        output.write(`${files} files changed, ${insertions} insertions, ${deletions} deletions\n`)
      }
      return exitCodes.done
    }
    if (patch.length === 0)
      output.tell(`${id} changed nothing${state === undefined || hasEnded(state) ? '' : ' yet'}`)
    else output.write(patch)
    if (!isUnreadable(task)) offerApply(task, output)
    return exitCodes.done
  },
})

/** The collected patch; of a task that has not ended, one taken from its worktree now. */
async function findPatch(
  task: Task | UnreadableTask,
  { holdfast }: CommandContext,
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
