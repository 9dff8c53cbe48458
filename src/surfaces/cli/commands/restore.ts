import { resolve } from 'node:path'
import { restoreWorktree } from '../../../engine/restore.ts'
import { restorePorts } from '../../hand-in-ports.ts'
import { defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { requireWorktreeId } from '../find-worktree.ts'

const usage = 'restore TASK'

export const restore = defineCommand({
  name: 'restore',
  group: 'Keep house',
  summary: 'Bring a worktree back that was put away: HEAD, index and every file as they were',
  usage,
  flags: {
    to: { about: 'where to (default: where it stood); it is pinned there', value: 'DIR' },
    ...jsonFlag,
  },
  examples: ['holdfast restore fix-the-login', 'holdfast restore k3v9 --to ../look'],
  async run({ flags, words }, context) {
    const { output, directory } = context
    const ports = await restorePorts(context)
    const id = await requireWorktreeId(requireWord(words, 'TASK', usage), context)
    const to = flags.to === undefined ? null : resolve(directory, flags.to)
    const { worktree, snapshot, problems } = await restoreWorktree(id, to, ports)
    await ports.store.archiveTasksIn(id, null)
    const missing = [
      ...problems,
      ...snapshot.ignored.dropped.map(path => `${path}: it was not kept, because it is made anew`),
    ]
    if (flags.json === true) output.writeJson({ id, path: worktree.path, missing })
    else {
      output.write(`${worktree.path}\n`)
      for (const line of missing) output.tell(line)
    }
    return exitCodes.done
  },
})
