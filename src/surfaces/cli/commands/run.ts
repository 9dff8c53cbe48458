import { agentEnvironment } from '../../../domain/environment.ts'
import { AppError } from '../../../domain/errors.ts'
import { parseSessionId, type SessionId } from '../../../domain/ids.ts'
import { permissionModes } from '../../../domain/permissions.ts'
import type { Tie } from '../../../domain/tie.ts'
import { refuseCircle } from '../../../engine/refuse-circle.ts'
import { requireSession } from '../../../engine/take-session.ts'
import { findCheckout } from '../../common-git-dir.ts'
import { callerEnvironment, realDirectory } from '../../hand-in-ports.ts'
import { memoryFlag } from '../../memory-limit.ts'
import { findingsFlags, refuseLoneOnly } from '../../review/read-findings.ts'
import { planTask, planTasks } from '../../submit.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { parseChoice, parseCount } from '../flags.ts'
import { handInAndTell, tellHandedIn, waitFlag } from '../hand-in-and-tell.ts'
import { readFindingsRequest } from '../read-findings-request.ts'
import { readRequest } from '../read-request.ts'
import { readOptions, runOptions } from '../run-options.ts'

const flags = {
  agent: {
    about:
      'who does it (default: as configured, else the first agent that is ready); several, separated by commas, do it each, as a group',
    value: 'AGENT',
    short: 'a',
  },
  bestOf: { about: 'hand it in so many times, as a group on one base', value: 'N' },
  promptFile: { about: 'read the prompt from a file', value: 'FILE' },
  ...waitFlag,
  model: { about: 'the model, as the agent names it', value: 'MODEL', short: 'm' },
  effort: { about: 'how hard to think, as the agent names it', value: 'EFFORT' },
  permissions: {
    about: 'read-only, workspace or full (default: as configured, else workspace)',
    value: 'MODE',
    choices: permissionModes,
  },
  session: { about: 'go on with a session of the agent’s, begun elsewhere', value: 'ID' },
  retryOnCrash: { about: 'command: run it again if it was killed' },
  oneShot: {
    about: 'give it the prompt alone: what is sent to it waits until its turn is over',
  },
  withCaller: { about: 'end it when whoever asks has ended: a session, a shell, a program' },
  ...memoryFlag,
  tmux: { about: 'show what it does in a tmux session of its own, until it has ended' },
  ...findingsFlags,
  ...runOptions,
  ...jsonFlag,
} as const

export const run = defineCommand({
  name: 'run',
  group: 'Do',
  summary: 'Hand a task to an agent, in a worktree of its own',
  takesVerbatim: true,
  usage: 'run [-a AGENT] PROMPT | run AGENT PROMPT | run command -- PROGRAM [ARGUMENT…]',
  flags,
  examples: [
    'holdfast run "fix the failing test"',
    'holdfast run codex "fix the failing test" --wait',
    'holdfast run -a codex --prompt-file task.md',
    'git diff | holdfast run -a codex -',
    'holdfast run command -- npm test',
    'holdfast run "now write the docs" --after fix-the-failing-test --priority 5',
    'holdfast run "tidy up" --base main --name tidy',
    'holdfast run -a codex --session 01a22a3c-acaf-79f0-b133-a5d9ddeb7a3a "now the tests"',
    "holdfast run -a codex,claude,pi 'fix the failing test' --verify 'npm test'",
  ],
  async run(input, context) {
    const { holdfast } = context
    if (input.flags.tmux === true) (await holdfast.tmux()).requireThere()
    const root = findCheckout(context.directory)?.root ?? null
    const configuration = await holdfast.configuration(root)
    refuseLoneOnly(input.flags)
    const agents = readAgents(input.flags.agent)
    const { bestOf } = input.flags
    const isGroup = agents.length > 1 || bestOf !== undefined
    const [agent] = agents
    const typed = agent === undefined ? input : { ...input, flags: { ...input.flags, agent } }
    const { findings, only } = input.flags
    const { agentName, prompt, argv } =
      findings === undefined
        ? await readRequest(typed, configuration, context)
        : await readFindingsRequest(typed, { findings, only }, configuration, context)
    const { model, effort, permissions, retryOnCrash, withCaller, wait, session } = input.flags
    const wish = {
      agentName,
      prompt,
      argv,
      retryOnCrash: retryOnCrash === true,
      model,
      effort,
      session:
        session === undefined ? null : await takeSession(session, agentName, input.flags, context),
      permissions:
        permissions === undefined
          ? undefined
          : parseChoice(permissions, 'permissions', permissionModes),
      memory: input.flags.memory,
      oneShot: input.flags.oneShot,
      tie: withCaller === true ? await tieTo(context) : null,
      isAwaited: wait === true,
      options: await readOptions(input.flags, context),
    }
    if (isGroup) {
      if (input.flags.tmux === true) throw noTmux()
      const { handInGroupAndTell } = await import('../hand-in-group.ts')
      const each = bestOf === undefined ? 1 : parseCount(bestOf, 'best-of')
      const members = { agents: agents.length > 1 ? agents : [agentName], each }
      const plans = await planTasks(wish, members, { root, configuration }, context)
      if (!('handedInBefore' in plans) && wait === true) {
        for (const plan of plans) await refuseCircle(plan, await holdfast.store())
      }
      return await handInGroupAndTell(plans, input.flags, context)
    }
    const plan = await planTask(wish, { root, configuration }, context)
    if ('handedInBefore' in plan) {
      return await tellHandedIn({ task: plan.handedInBefore, isNew: false }, input.flags, context)
    }
    if (input.flags.wait === true) await refuseCircle(plan, await holdfast.store())
    return await handInAndTell(plan, input.flags, context)
  },
})

async function takeSession(
  text: string,
  agentName: string,
  { inPlace, idempotencyKey }: { readonly inPlace?: true; readonly idempotencyKey?: string },
  context: CommandContext,
): Promise<SessionId> {
  const { holdfast, output, caller, directory } = context
  const session = parseSessionId(text)
  if (session === undefined) {
    throw new AppError('bad_usage', `--session ${JSON.stringify(text)} is no id of a session`)
  }
  if (caller.kind === 'claude' && caller.id === session) {
    throw new AppError('leased', 'this is the very session that asks: it cannot go on elsewhere', {
      hint: 'without --session the task begins a new one',
    })
  }
  const wish = {
    session,
    agent: await holdfast.agent(agentName),
    environment: agentEnvironment(callerEnvironment(context)),
    directory: inPlace === true ? realDirectory(directory) : null,
    idempotencyKey: idempotencyKey ?? null,
  }
  const { openIn } = await requireSession(wish, await holdfast.store())
  if (openIn === 'unknown') {
    output.tell(
      `${agentName} does not write down who has a session open: see that nobody has this one`,
    )
  }
  return session
}

function readAgents(text: string | undefined): readonly string[] {
  const agents = text?.split(',').map(word => word.trim()) ?? []
  if (!agents.includes('')) return agents
  throw new AppError('bad_usage', `--agent ${text} names an agent with no name`, {
    hint: 'for example: run -a codex,claude "fix the failing test"',
  })
}

function noTmux(): AppError {
  return new AppError('bad_usage', '--tmux shows one task, and a group is several', {
    hint: 'holdfast status GROUP, or holdfast logs -f TASK for one of them',
  })
}

async function tieTo({ caller, environment, holdfast }: CommandContext): Promise<Tie> {
  const { tieToCaller } = await import('../../find-tie.ts')
  return await tieToCaller(caller, environment, holdfast)
}
