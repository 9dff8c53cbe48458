import { findMembers, requireTask } from '../../find-task.ts'
import { viewConversation } from '../../gather-evidence.ts'
import { lookAtTask } from '../../look.ts'
import { lookAround } from '../../look-around.ts'
import { defineCommand, jsonFlag, optionalWord } from '../command.ts'
import { renderTask, renderTaskLine, renderUnreadable } from '../render.ts'

const usage = 'status [TASK|GROUP]'

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
    const reference = optionalWord(words, usage)
    const members =
      reference === undefined ? undefined : await findMembers(await holdfast.store(), reference)
    if (members !== undefined) {
      const { lookAtGroup } = await import('../../look-at-group.ts')
      const view = await lookAtGroup(members, context)
      if (flags.json === true) output.writeJson(view)
      else {
        const { renderGroup } = await import('../render-group.ts')
        output.write(`${renderGroup(view, context.now(), output)}\n`)
      }
      return 0
    }
    if (reference !== undefined) {
      const store = await holdfast.store()
      const task = await requireTask(store, reference)
      const view = await lookAtTask(task, context)
      if (flags.json === true) output.writeJson(view)
      else {
        const conversation = await viewConversation(task, store)
        output.write(`${renderTask(view, context.now(), output, conversation)}\n`)
      }
      return 0
    }
    const view = await lookAround(flags, context)
    if (flags.json === true) {
      output.writeJson(view)
      return 0
    }
    const { tasks, unreadable, disk } = view
    if (disk.warning !== null) {
      output.tell(
        `holdfast: ${disk.warning}; what takes so much, and may go: holdfast gc --dry-run`,
      )
    }
    if (tasks.length + unreadable.length === 0) {
      const isNew = (await (await holdfast.store()).listTasks({ limit: 1 })).length === 0
      output.tell(
        isNew
          ? 'no tasks. Hand one in: holdfast run "fix the failing test"'
          : 'there are tasks, but none to show here; every one: holdfast status --all',
      )
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
