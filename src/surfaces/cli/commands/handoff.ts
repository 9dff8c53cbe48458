import { agentEnvironment } from '../../../domain/environment.ts'
import { AppError } from '../../../domain/errors.ts'
import { shellLine, shellWord } from '../../../domain/shell-word.ts'
import type { Task } from '../../../domain/task.ts'
import type { Applied } from '../../../engine/apply.ts'
import { chooseTarget } from '../../../engine/choose-target.ts'
import { findStay } from '../../../engine/find-stay.ts'
import { type HandBackPorts, handBackTask, undoHandBack } from '../../../engine/hand-back.ts'
import { handOffTask, undoHandOff } from '../../../engine/hand-off.ts'
import type { SessionFate } from '../../../engine/move-session.ts'
import type { ApplyMode } from '../../../ports/applications.ts'
import { systemClock } from '../../../system-clock.ts'
import { callerTaskOf } from '../../caller.ts'
import { requireTask } from '../../find-task.ts'
import { callerEnvironment, restorePorts } from '../../hand-in-ports.ts'
import { holdSignals } from '../../hold-signals.ts'
import { tellWhatItIs } from '../../tell-left-out.ts'
import type { HandoffView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import type { Output } from '../output.ts'
import { countConflicts, countFiles, showChanges } from '../show-changes.ts'
import { writeAndTell } from '../write-and-tell.ts'

const usage = 'handoff TASK --to local|worktree [--check | --conflicts] | handoff TASK --undo'

export const handoff = defineCommand({
  name: 'handoff',
  group: 'Take',
  summary: 'Bring a task’s work and session to your checkout, or back to its worktree',
  usage,
  flags: {
    to: {
      about: '`local`: your checkout, or else the one it was asked in; `worktree`: back',
      value: 'WHERE',
      choices: ['local', 'worktree'],
    },
    check: { about: 'only say what would happen' },
    conflicts: { about: 'write conflicts too, with markers; nothing is staged' },
    undo: { about: 'take the last one back: files and session as they were' },
    ...jsonFlag,
  },
  examples: [
    'holdfast handoff fix-the-login --to local --check',
    'holdfast handoff fix-the-login --to local',
    'holdfast handoff fix-the-login --to worktree',
    'holdfast handoff fix-the-login --undo',
  ],
  async run({ flags: given, words }, context) {
    const refuse = (problem: string): never => {
      throw new AppError('bad_usage', problem, { hint: `usage: holdfast ${usage}` })
    }
    const { to } = given
    if (given.undo === true) {
      const other = (['to', 'check', 'conflicts'] as const).find(name => given[name] !== undefined)
      if (other !== undefined) refuse(`--undo and --${other} exclude each other`)
    } else if (to !== 'local' && to !== 'worktree') {
      refuse(to === undefined ? '--to is missing' : `--to ${to}: it is "local" or "worktree"`)
    }
    if (given.check && given.conflicts) refuse('--check and --conflicts exclude each other')
    const ports = await handoffPorts(context)
    const task = await requireTask(ports.store, requireWord(words, 'TASK', usage))
    const mode: ApplyMode = given.check ? 'check' : given.conflicts ? 'conflicts' : 'clean'
    const hand = to === 'local' ? toLocal : toWorktree
    const work = () =>
      given.undo === true ? undo(task, context, ports) : hand(task, mode, context, ports)
    return await writeAndTell(work, given.json === true, show, context)
  },
})

async function handoffPorts(context: CommandContext): Promise<HandBackPorts> {
  const { holdfast } = context
  const applications = await holdfast.applications()
  const agent = (name: string) => holdfast.agent(name)
  return { ...(await restorePorts(context)), applications, agent, clock: systemClock }
}

function wishOf(mode: ApplyMode, context: CommandContext) {
  const environment = agentEnvironment(callerEnvironment(context))
  return { mode, ...holdSignals(context), environment }
}

async function toLocal(
  task: Task,
  mode: ApplyMode,
  context: CommandContext,
  ports: HandBackPorts,
): Promise<HandoffView> {
  const { output, caller, directory } = context
  const { id } = task.request
  const callerTask = callerTaskOf(caller)
  const target = await chooseTarget(task, { to: null, directory, callerTask }, ports)
  const { root } = target.place
  output.tell(`${mode === 'check' ? 'looking at' : 'handing off to'} ${root}`)
  tellWhatItIs(task, output)
  const done = await handOffTask(task, { target, ...wishOf(mode, context) }, ports)
  const problem =
    done.problem === null ? [] : [`it cannot be handed back from there: ${done.problem}`]
  return {
    id,
    direction: 'local',
    path: root,
    ...viewOutcome(done.applied, mode),
    session: viewSession(done.session),
    leftBehind: done.leftBehind && { ...done.leftBehind, paths: [...done.leftBehind.paths] },
    problems: problem,
  }
}

async function toWorktree(
  task: Task,
  mode: ApplyMode,
  context: CommandContext,
  ports: HandBackPorts,
): Promise<HandoffView> {
  const { outcome, worktree, session, problems } = await handBackTask(
    task,
    wishOf(mode, context),
    ports,
  )
  return {
    id: task.request.id,
    direction: 'worktree',
    path: worktree.path,
    ...viewOutcome(outcome, mode),
    session: viewSession(session),
    leftBehind: null,
    problems: [...problems],
  }
}

async function undo(
  task: Task,
  context: CommandContext,
  ports: HandBackPorts,
): Promise<HandoffView> {
  const { id } = task.request
  const stay = await findStay(task, ports.store)
  if (stay.kind === 'as_it_was') {
    throw new AppError('not_applied', `${id} was not handed off: there is nothing to take back`, {
      hint: `holdfast apply --undo ${id}, if it was applied`,
    })
  }
  // A signal waits: half of it would have to be finished anyway.
  void context.interrupted
  const { home, handOff, kind } = stay
  const environment = agentEnvironment(callerEnvironment(context))
  const { root, files, session } =
    kind === 'handed_back'
      ? await undoHandBack(task, stay, environment, ports)
      : await undoHandOff(home, handOff, environment, ports)
  return {
    id: home.request.id,
    direction: kind === 'handed_back' ? 'worktree' : 'local',
    path: root,
    state: 'undone',
    files: [...files],
    conflicts: [],
    session: viewSession(session),
    leftBehind: null,
    problems: [],
  }
}

function viewOutcome(
  applied: Applied,
  mode: ApplyMode,
): Pick<HandoffView, 'state' | 'files' | 'conflicts'> {
  switch (applied.kind) {
    case 'nothing':
    case 'in_place':
      return {
        state: mode === 'check' ? 'would_hand_off' : 'in_place',
        files: [],
        conflicts: [],
      }
    case 'would_apply':
      return { state: 'would_hand_off', files: [...applied.files], conflicts: [] }
    case 'conflicting':
      return { state: 'conflicts', files: [], conflicts: [...applied.conflicts] }
    case 'applied': {
      const { files, conflicts } = applied
      return { state: 'handed_off', files: [...files], conflicts: [...conflicts] }
    }
  }
}

function viewSession(fate: SessionFate): HandoffView['session'] {
  if (fate.kind === 'none') return null
  const { session: id, directory, argv } = fate
  return {
    id,
    moves: fate.kind === 'moves',
    why: fate.kind === 'stays' ? fate.why : null,
    directory,
    argv: argv === null ? null : [...argv],
  }
}

function show(view: HandoffView, output: Output): void {
  showChanges(view, output)
  for (const line of [...describe(view), ...describeSession(view), ...describeRest(view)]) {
    output.tell(line)
  }
}

function describe({ id, direction, path, state, files, conflicts }: HandoffView): string[] {
  const command = `holdfast handoff ${id} --to ${direction}`
  switch (state) {
    case 'in_place':
      return [`all of the work of ${id} is in ${path}`]
    case 'would_hand_off':
      return [`${countFiles(files)} would be written`, `next: ${command}`]
    case 'conflicts':
      return [
        `${countConflicts(conflicts)}; nothing was written`,
        `next: ${command} --conflicts writes them with markers`,
      ]
    case 'handed_off': {
      const open = conflicts.length === 0 ? [] : [`${countConflicts(conflicts)} to resolve in them`]
      const done = `handed to ${path}: ${countFiles(files)}, not staged`
      return [done, ...open, `to take it back: holdfast handoff ${id} --undo`]
    }
    case 'undone':
      return [`taken back from ${path}: ${countFiles(files)}`]
  }
}

function describeSession({ session, state }: HandoffView): string[] {
  if (session === null || state === 'conflicts') return []
  const { id, moves, why, directory, argv } = session
  const to =
    argv === null ? [] : [`to go on with it: cd ${shellWord(directory)} && ${shellLine(argv)}`]
  if (!moves) return [`its session ${id} stays in ${directory}: ${why}`, ...to]
  return state === 'would_hand_off' ? [`its session ${id} would go on in ${directory}`] : to
}

function describeRest({ leftBehind, problems }: HandoffView): string[] {
  if (leftBehind === null || leftBehind.paths.length === 0) return problems
  const { paths, more } = leftBehind
  const rest = more === 0 ? [] : [`and ${more} more`]
  return [...problems, `ignored files stay in the worktree: ${[...paths, ...rest].join(', ')}`]
}
