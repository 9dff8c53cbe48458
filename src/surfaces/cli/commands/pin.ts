import { requireWritableStore } from '../../writable-store.ts'
import type { CommandContext } from '../command.ts'
import { defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { requireStanding } from '../find-worktree.ts'

async function setPinned(
  word: string,
  pinned: boolean,
  json: boolean,
  context: CommandContext,
): Promise<number> {
  const store = await requireWritableStore(context)
  const { id, path } = await requireStanding(word, context)
  await store.pinWorktree(id, pinned)
  if (json) context.output.writeJson({ id, path, pinned })
  else context.output.write(`${pinned ? 'pinned' : 'not pinned'} ${path}\n`)
  return exitCodes.done
}

export const pin = defineCommand({
  name: 'pin',
  group: 'Keep house',
  summary: 'Keep a worktree where it is, however many there are',
  usage: 'pin TASK | pin WORKTREE',
  flags: jsonFlag,
  examples: ['holdfast pin fix-the-login', 'holdfast unpin fix-the-login'],
  async run({ flags, words }, context) {
    const word = requireWord(words, 'TASK or WORKTREE', 'pin TASK | pin WORKTREE')
    return await setPinned(word, true, flags.json === true, context)
  },
})

export const unpin = defineCommand({
  name: 'unpin',
  group: 'Keep house',
  summary: 'Let a pinned worktree go like any other',
  usage: 'unpin TASK | unpin WORKTREE',
  flags: jsonFlag,
  examples: ['holdfast unpin fix-the-login'],
  async run({ flags, words }, context) {
    const word = requireWord(words, 'TASK or WORKTREE', 'unpin TASK | unpin WORKTREE')
    return await setPinned(word, false, flags.json === true, context)
  },
})
