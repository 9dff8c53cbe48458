import { activeStates, hasEnded, type Task } from '../../../domain/task.ts'
import type { Store } from '../../../ports/store.ts'
import { parseCallerFilter } from '../../caller.ts'
import { viewUnreadable } from '../../make-view.ts'
import type { UnreadableView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { findCommonGitDir } from '../common-git-dir.ts'
import { requireTask } from '../find-task.ts'
import { lookAtDisk, lookAtTask, lookAtTasks, lookAtWorker } from '../look.ts'
import { renderTask, renderTaskLine, renderUnreadable } from '../render.ts'

/** What has ended is shown for a day, the newest twenty. */
const ENDED_FOR_MS = 24 * 3_600_000
const ENDED_COUNT = 20

const usage = 'status [TASK]'

export const status = defineCommand({
  name: 'status',
  aliases: ['ls'],
  group: 'Look',
  summary: 'What needs you, what is under way, what has ended',
  usage,
  flags: {
    all: { about: 'every task' },
    active: { about: 'only what has not ended' },
    agent: { about: 'only tasks of this agent', value: 'AGENT' },
    caller: {
      about:
        'only what they asked for: terminal, claude, mcp, task or program, or one of them by its id',
      value: 'KIND[:ID]',
    },
    ...jsonFlag,
  },
  examples: ['holdfast status', 'holdfast status fix-the-login', 'holdfast status --all --json'],
  async run({ flags, words }, context) {
    const { output, holdfast } = context
    const store = await holdfast.store()
    const reference = optionalWord(words, usage)
    if (reference !== undefined) {
      const view = await lookAtTask(await requireTask(store, reference), context)
      if (flags.json === true) output.writeJson(view)
      else output.write(`${renderTask(view, context.now(), output)}\n`)
      return 0
    }
    const worker = await lookAtWorker(context)
    const tasks = await lookAtTasks(await selectTasks(store, flags, context), worker, context)
    const unreadable = await viewUnreadableTasks(store, context)
    const disk = await lookAtDisk(context)
    if (flags.json === true) {
      output.writeJson({ tasks, unreadable, worker, disk })
      return 0
    }
    if (disk.warning !== null) {
      output.tell(
        `holdfast: ${disk.warning}; what takes so much, and may go: holdfast gc --dry-run`,
      )
    }
    if (tasks.length + unreadable.length === 0) {
      output.tell('no tasks. Hand one in: holdfast run "fix the failing test"')
      return 0
    }
    const lines = [
      ...unreadable.map(task => renderUnreadable(task, context.now(), output)),
      ...tasks.map(task => renderTaskLine(task, context.now(), output)),
    ]
    output.write(`${lines.join('\n')}\n`)
    if (output.stdoutIsTerminal) output.tell('next: holdfast status ID · holdfast result ID')
    return 0
  },
})

/** Rows that were met among the others, and are damaged. */
async function viewUnreadableTasks(
  store: Store,
  { holdfast }: CommandContext,
): Promise<readonly UnreadableView[]> {
  const met = store.unreadable()
  if (met.length === 0) return []
  const files = await holdfast.files()
  return met.map(task => viewUnreadable(task, files.directory(task.id)))
}

/**
 * By default: what needs somebody, what is under way, then the newest that have ended; of each,
 * those of the repository that the caller stands in come first.
 */
async function selectTasks(
  store: Store,
  flags: { all?: true; active?: true; agent?: string; caller?: string },
  context: CommandContext,
): Promise<readonly Task[]> {
  const asked = flags.caller === undefined ? () => true : parseCallerFilter(flags.caller)
  const isWanted = ({ agent, request }: Task) =>
    (flags.agent === undefined || agent === flags.agent) && asked(request.caller)
  if (flags.all === true) return (await store.listTasks({})).filter(isWanted)
  const open = await store.listTasks({ states: [...activeStates, 'queued', 'waiting'] })
  const ended =
    flags.active === true
      ? []
      : await store.listTasks({
          endedSince: context.now() - ENDED_FOR_MS,
          // The store does not choose by agent or caller: which twenty those are is known once all are read.
          ...(flags.agent === undefined && flags.caller === undefined
            ? { limit: ENDED_COUNT }
            : {}),
        })
  const here = findCommonGitDir(context.directory)
  const rank = ({ state, request }: Task) =>
    (state.name === 'needs_input' ? 0 : hasEnded(state) ? 4 : 2) +
    (request.repo.commonDir === here ? 0 : 1)
  const listed = ended.filter(task => isWanted(task) && task.archivedAt === null)
  const shown = [...open.filter(isWanted), ...listed.slice(0, ENDED_COUNT)]
  return shown.sort((a, b) => rank(a) - rank(b))
}
