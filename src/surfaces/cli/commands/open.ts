import { AppError } from '../../../domain/errors.ts'
import { type PermissionMode, permissionModes } from '../../../domain/permissions.ts'
import { shellLine, shellWord } from '../../../domain/shell-word.ts'
import type { Opened, Task } from '../../../domain/task.ts'
import type { HandInPlan } from '../../../engine/hand-in.ts'
import { planSession, worktreeEnd } from '../../../engine/move-session.ts'
import { planOpen } from '../../../engine/open.ts'
import { findCheckout } from '../../common-git-dir.ts'
import { requireTaskOrNewest } from '../../find-task.ts'
import { resubmitPorts } from '../../hand-in-ports.ts'
import { restoreIfPutAway } from '../../restore-if-put-away.ts'
import { planTask } from '../../submit.ts'
import { isTerminal } from '../../terminal.ts'
import { askerOf } from '../asker.ts'
import {
  type CommandContext,
  defineCommand,
  type FlagValues,
  jsonFlag,
  optionalWord,
} from '../command.ts'
import { findEditor } from '../find-editor.ts'
import { parseChoice } from '../flags.ts'
import { openHere } from '../open-here.ts'
import { readOptions, runOptions } from '../run-options.ts'

const usage = 'open [TASK] [--editor] | open -a AGENT'

/** Of those that say where: they are for a new worktree. */
const { name, base, changes, inPlace, worktree } = runOptions
const places = { name, base, changes, inPlace, worktree } as const

const flags = {
  agent: {
    about: 'a new worktree, and the user interface of this agent',
    value: 'AGENT',
    short: 'a',
  },
  editor: { about: 'your editor on the worktree, in the place of the agent' },
  model: { about: 'the model, as the agent names it', value: 'MODEL', short: 'm' },
  effort: { about: 'how hard to think, as the agent names it', value: 'EFFORT' },
  permissions: {
    about: 'read-only, workspace or full (default: as the task was asked, else as configured)',
    value: 'MODE',
    choices: permissionModes,
  },
  ...places,
  ...jsonFlag,
} as const

export const open = defineCommand({
  name: 'open',
  group: 'Do',
  summary: 'The agent’s own user interface, here, in a task’s session and worktree; kept as a task',
  usage,
  flags,
  examples: [
    'holdfast open fix-the-login',
    'holdfast open fix-the-login --editor',
    'holdfast open -a codex --base main --name try-it',
  ],
  async run({ flags: given, words }, context) {
    const word = optionalWord(words, usage)
    const { agent, editor } = given
    if (agent !== undefined && (word !== undefined || editor === true)) {
      const other = word === undefined ? '--editor' : `the task ${word}`
      throw new AppError('bad_usage', `--agent begins anew: ${other} does not go with it`, {
        hint: `usage: holdfast ${usage}`,
      })
    }
    const plan =
      agent === undefined
        ? await planForTask(await requireTaskOrNewest(word, context), given, context)
        : await planAnew(agent, given, context)
    return await openHere(plan, given, context)
  },
})

type Given = FlagValues<typeof flags>

async function planForTask(task: Task, given: Given, context: CommandContext): Promise<HandInPlan> {
  const { id } = task.request
  const idle = (['name', 'base', 'changes', 'inPlace', 'worktree'] as const).find(
    flag => given[flag] !== undefined,
  )
  if (idle !== undefined) {
    throw new AppError('bad_usage', `${id} has its worktree: nothing says where to open it`, {
      hint: 'open -a AGENT makes a new one',
    })
  }
  const opened = await openedBy(given, context)
  if (!sitsHere()) throw await noTerminal(task, opened, context)
  const wish = { opened, permissions: modeOf(given) ?? null }
  const agent = await context.holdfast.agent(task.agent)
  await restoreIfPutAway(task, context)
  const asker = await askerOf({}, context)
  const plan = await planOpen(task, agent, wish, asker, await resubmitPorts(context))
  const { model, effort } = given
  const { request } = plan
  return {
    ...plan,
    request: { ...request, model: model ?? request.model, effort: effort ?? request.effort },
  }
}

async function planAnew(
  agentName: string,
  given: Given,
  context: CommandContext,
): Promise<HandInPlan> {
  if (!sitsHere()) {
    throw new AppError('bad_usage', NO_TERMINAL, {
      hint: `in a terminal: holdfast open -a ${agentName}; to hand a task in: holdfast run -a ${agentName} "…"`,
    })
  }
  const root = findCheckout(context.directory)?.root ?? null
  const wish = {
    agentName,
    prompt: new Uint8Array(),
    argv: [],
    retryOnCrash: false,
    model: given.model,
    effort: given.effort,
    permissions: modeOf(given),
    opened: { by: 'agent' },
    isAwaited: true,
    options: await readOptions(given, context),
  } as const
  const configuration = await context.holdfast.configuration(root)
  const plan = await planTask(wish, { root, configuration }, context)
  if ('handedInBefore' in plan) throw new Error('what is opened has no key')
  return plan
}

async function openedBy({ editor }: Given, context: CommandContext): Promise<Opened> {
  return editor === true ? { by: 'editor', argv: await findEditor(context) } : { by: 'agent' }
}

function modeOf({ permissions }: Given): PermissionMode | undefined {
  if (permissions === undefined) return undefined
  return parseChoice(permissions, 'permissions', permissionModes)
}

const NO_TERMINAL = 'there is no terminal here to open anything at'

const sitsHere = () => isTerminal(0) && isTerminal(1)

/** What to type in one, to do it by hand. */
async function noTerminal(task: Task, opened: Opened, context: CommandContext): Promise<AppError> {
  const { holdfast, environment } = context
  const { id } = task.request
  const editor = opened.by === 'editor' ? ' --editor' : ''
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    agent: holdfast.agent,
  }
  const end = await worktreeEnd(task, ports)
  const fate = await planSession(task, { from: end, to: end }, environmentOf(environment), ports)
  const argv = fate.kind === 'none' || opened.by === 'editor' ? null : fate.argv
  const byHand =
    argv === null || fate.kind === 'none'
      ? ''
      : `; by hand: cd ${shellWord(fate.directory)} && ${shellLine(argv)}`
  return new AppError('bad_usage', NO_TERMINAL, {
    hint: `in a terminal: holdfast open ${id}${editor}${byHand}`,
  })
}

const environmentOf = (variables: CommandContext['environment']) =>
  Object.fromEntries(
    Object.entries(variables).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value]],
    ),
  )
