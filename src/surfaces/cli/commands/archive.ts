import { AppError } from '../../../domain/errors.ts'
import { hasEnded } from '../../../domain/task.ts'
import { putAway } from '../../../engine/put-away.ts'
import { requireTask } from '../../find-task.ts'
import { putAwayPorts } from '../../hand-in-ports.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

const usage = 'archive TASK'

export const archive = defineCommand({
  name: 'archive',
  group: 'Keep house',
  summary: 'Put an ended task away: its worktree is kept as a snapshot, and it is not listed',
  usage,
  flags: jsonFlag,
  examples: ['holdfast archive fix-the-login', 'holdfast restore fix-the-login'],
  async run({ flags, words }, context) {
    const { output } = context
    const ports = await putAwayPorts(context)
    const task = await requireTask(ports.store, requireWord(words, 'TASK', usage))
    const { id, workplace } = task.request
    if (!hasEnded(task.state)) {
      throw new AppError('refused_in_state', `${id} has not ended: it is ${task.state.name}`, {
        hint: `holdfast cancel ${id} first, or holdfast wait ${id}`,
      })
    }
    const stored = await ports.store.findWorktree(workplace.id)
    const isOwn = stored?.kind === 'managed'
    const snapshot = isOwn ? await putAway(workplace.id, ports).catch(unlessAway) : null
    await ports.store.archiveTask(id, context.now())
    // What was put away is unlinked by the worker, once nothing else is to be done.
    if (snapshot !== null) await ringIfPossible(context)
    const dropped = snapshot?.ignored.dropped ?? []
    if (flags.json === true) {
      output.writeJson({ id, worktree: stored?.path ?? null, putAway: snapshot !== null, dropped })
      return exitCodes.done
    }
    output.write(`archived ${id}\n`)
    if (snapshot !== null) output.tell(`its worktree comes back with: holdfast restore ${id}`)
    if (dropped.length > 0) output.tell(`not kept, because it is made anew: ${dropped.join(', ')}`)
    return exitCodes.done
  },
})

/** A later worker unlinks it as well. */
async function ringIfPossible({ holdfast }: CommandContext): Promise<void> {
  await (await holdfast.presence()).ring().catch(() => undefined)
}

/** The worker has just put it away. */
function unlessAway(error: unknown): null {
  if (error instanceof AppError && error.code === 'no_such_task') return null
  throw error
}
