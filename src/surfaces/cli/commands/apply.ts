import { resolve } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { requireTask } from '../../find-task.ts'
import { giveBack, takeHome } from '../../take-home.ts'
import type { ApplyView } from '../../view.ts'
import { defineCommand, jsonFlag, requireWord } from '../command.ts'
import type { Output } from '../output.ts'
import { countConflicts, countFiles, showChanges } from '../show-changes.ts'
import { writeAndTell } from '../write-and-tell.ts'

const usage = 'apply TASK [--to DIR] [--check | --conflicts | --undo]'

const flags = {
  to: {
    about: 'a directory of the checkout (default: yours, or else the one it was asked in)',
    value: 'DIR',
  },
  check: { about: 'only say what would happen' },
  conflicts: { about: 'write conflicts too, with markers; nothing is staged' },
  undo: { about: 'take it back: the files as they were, to the byte' },
  ...jsonFlag,
} as const

export const apply = defineCommand({
  name: 'apply',
  group: 'Take',
  summary: 'Merge what the agent changed into your working files; never stages, can be undone',
  usage,
  flags,
  examples: [
    'holdfast apply fix-the-login',
    'holdfast apply fix-the-login --check',
    'holdfast apply k3v9 --to ../other-checkout',
    'holdfast apply --undo fix-the-login',
  ],
  async run({ flags: given, words }, context) {
    const exclusive = (['check', 'conflicts', 'undo'] as const).filter(name => given[name])
    if (exclusive.length > 1) {
      throw new AppError(
        'bad_usage',
        `--${exclusive[0]} and --${exclusive[1]} exclude each other`,
        {
          hint: `usage: holdfast ${usage}`,
        },
      )
    }
    const store = await context.holdfast.store()
    const task = await requireTask(store, requireWord(words, 'TASK', usage))
    const to = given.to === undefined ? null : resolve(context.directory, given.to)
    const mode = given.check ? 'check' : given.conflicts ? 'conflicts' : 'clean'
    const work = () =>
      given.undo ? giveBack(task, to, context) : takeHome(task, to, mode, context)
    return await writeAndTell(work, given.json === true, show, context)
  },
})

function show(view: ApplyView, output: Output): void {
  showChanges(view, output)
  for (const line of describe(view)) output.tell(line)
}

function describe({ id, to, state, files, conflicts }: ApplyView): readonly string[] {
  const count = countFiles(files)
  switch (state) {
    case 'nothing':
      return [`${id} changed no file: there is nothing to apply`]
    case 'in_place':
      return [`already applied: all that ${id} changed is in ${to}`]
    case 'would_apply':
      return [`${count} would be written`, `next: holdfast apply ${id}`]
    case 'conflicts':
      return [
        `${countConflicts(conflicts)}; nothing was written`,
        `next: holdfast apply ${id} --conflicts writes them with markers`,
      ]
    case 'applied': {
      const open = conflicts.length === 0 ? [] : [`${countConflicts(conflicts)} to resolve in them`]
      const next = `next: git diff · holdfast apply --undo ${id}`
      return [`applied to ${to}: ${count}, not staged`, ...open, next]
    }
    case 'undone':
      return [`taken back from ${to}: ${count}`, `next: holdfast apply ${id}`]
  }
}
