import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { parseTaskId } from '../../../domain/ids.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { type Applied, applyTask } from '../../../engine/apply.ts'
import { chooseTarget } from '../../../engine/choose-target.ts'
import { undoTask } from '../../../engine/undo-apply.ts'
import type { Application } from '../../../ports/applications.ts'
import { systemClock } from '../../../system-clock.ts'
import { detectCaller } from '../../caller.ts'
import type { ApplyView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { describeMended } from '../describe-mended.ts'
import { requireTask } from '../find-task.ts'
import type { Output } from '../output.ts'
import { countConflicts, countFiles, showChanges } from '../show-changes.ts'
import { tellLeftOut } from '../untaken.ts'
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
    if (to !== null && statSync(to, { throwIfNoEntry: false })?.isFile()) {
      throw new AppError('bad_usage', `--to ${given.to} is a file, not a directory`)
    }
    const mode = given.check ? 'check' : given.conflicts ? 'conflicts' : 'clean'
    const work = () => (given.undo ? undo(task, to, context) : takeHome(task, to, mode, context))
    return await writeAndTell(work, given.json === true, show, context)
  },
})

async function takeHome(
  task: Task,
  to: string | null,
  mode: 'check' | 'clean' | 'conflicts',
  context: CommandContext,
): Promise<ApplyView> {
  const { holdfast, output, environment, directory } = context
  const ports = await portsOf(context)
  const { id } = task.request
  const caller = detectCaller(environment, directory)
  const callerTask = caller.kind === 'task' ? (parseTaskId(caller.id ?? '') ?? null) : null
  const target = await chooseTarget(task, { to, directory, callerTask }, ports)
  const { root } = target.place
  output.tell(`${mode === 'check' ? 'looking at' : 'applying to'} ${root}`)
  if (hasEnded(task.state) && task.state.name !== 'succeeded') {
    output.tell(`${id} ${task.state.name}: this is what it had changed by then`)
  }
  if (hasEnded(task.state) && task.state.result !== null) tellLeftOut(task.state.result, output)
  // From here on a signal waits: until the first file is written it stops all, and then nothing.
  const { interrupted } = context
  const onMended = (mended: Application) => output.tell(describeMended(mended))
  const wish = { target, mode, isStopped: () => interrupted.aborted, onMended }
  const applied = await applyTask(task, wish, ports)
  const taken = (await (await holdfast.store()).findTask(id))?.taken ?? null
  return viewApplied(id, root, applied, taken === null ? null : iso(taken.at))
}

const iso = (time: number) => new Date(time).toISOString()

function viewApplied(id: string, root: string, applied: Applied, taken: string | null): ApplyView {
  const view = { id, to: root, files: [], conflicts: [], taken }
  switch (applied.kind) {
    case 'nothing':
      return { ...view, to: null, state: 'nothing' }
    case 'in_place':
      return { ...view, state: 'in_place' }
    case 'would_apply':
      return { ...view, state: 'would_apply', files: [...applied.files] }
    case 'conflicting':
      return { ...view, state: 'conflicts', conflicts: [...applied.conflicts] }
    case 'applied': {
      const { files, conflicts } = applied
      return { ...view, state: 'applied', files: [...files], conflicts: [...conflicts] }
    }
  }
}

async function undo(task: Task, to: string | null, context: CommandContext): Promise<ApplyView> {
  const ports = await portsOf(context)
  const rootOf = async (directory: string) =>
    (await ports.worktrees.openCheckout(directory)).place.root
  const named = to === null ? null : await rootOf(to)
  // Where the caller stands only helps to choose: it need not be a checkout.
  const standsIn = await rootOf(context.directory).catch(() => null)
  // A signal waits: half of it would have to be finished anyway.
  void context.interrupted
  const { root, files } = await undoTask(task, { named, standsIn }, ports)
  const { id } = task.request
  const taken = (await ports.store.findTask(id))?.taken ?? null
  return {
    id,
    to: root,
    state: 'undone',
    files: [...files],
    conflicts: [],
    taken: taken === null ? null : iso(taken.at),
  }
}

async function portsOf({ holdfast }: CommandContext) {
  return {
    store: await holdfast.store(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
}

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
