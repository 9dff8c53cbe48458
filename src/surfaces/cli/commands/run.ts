import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type Configuration,
  configuredAgent,
  configuredCaptureLimits,
  configuredChoice,
  configuredPermissions,
} from '../../../domain/configuration.ts'
import { reach } from '../../../domain/crash-points.ts'
import { AppError, messageOf } from '../../../domain/errors.ts'
import { permissionModes } from '../../../domain/permissions.ts'
import type { Task } from '../../../domain/task.ts'
import { planSubmission, submitTask } from '../../../engine/submit.ts'
import { systemClock } from '../../../system-clock.ts'
import { detectCaller } from '../../caller.ts'
import { viewTask } from '../../make-view.ts'
import { isTerminal } from '../../terminal.ts'
import { type CommandContext, type CommandInput, defineCommand, jsonFlag } from '../command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { exitCodeOfState, exitCodes, signalExitCode } from '../exit-codes.ts'
import { dashed, parseChoice } from '../flags.ts'
import { lookAtTask, ringOrTell } from '../look.ts'
import { describeBase, describeDelta, renderEvent } from '../render.ts'
import { waitForTasks } from '../wait-for.ts'

const flags = {
  agent: {
    about: 'who does it (default: as configured, else the first agent that is ready)',
    value: 'AGENT',
    short: 'a',
  },
  promptFile: { about: 'read the prompt from a file', value: 'FILE' },
  wait: { about: 'stay until it has ended, and print the answer; an interrupt only detaches' },
  model: { about: 'the model, as the agent names it', value: 'MODEL', short: 'm' },
  effort: { about: 'how hard to think, as the agent names it', value: 'EFFORT' },
  permissions: { about: 'read-only, workspace or full (default: workspace)', value: 'MODE' },
  retryOnCrash: { about: 'command: run it again if it was killed' },
  ...jsonFlag,
} as const

type RunInput = CommandInput<typeof flags>

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
  ],
  async run(input, context) {
    const { holdfast, output } = context
    const configuration = await holdfast.configuration(
      findCheckout(context.directory)?.root ?? null,
    )
    const { agentName, prompt, argv } = await readRequest(input, configuration, context)
    const permissions =
      input.flags.permissions === undefined
        ? (configuredPermissions(configuration) ?? null)
        : parseChoice(input.flags.permissions, 'permissions', permissionModes)
    const worktrees = await holdfast.worktrees()
    // An agent stands elsewhere: what is relative to the caller's directory would mislead it.
    const home = context.environment.HOLDFAST_HOME ? { HOLDFAST_HOME: holdfast.home } : {}
    const agent = await holdfast.agent(agentName)
    const choice = (key: 'model' | 'effort') =>
      agent.capabilities.takesPrompt ? configuredChoice(configuration, key, agentName) : undefined
    const submission = {
      agent,
      prompt,
      argv,
      retryOnCrash: input.flags.retryOnCrash === true,
      model: input.flags.model ?? choice('model') ?? null,
      effort: input.flags.effort ?? choice('effort') ?? null,
      permissions,
      captureLimits: configuredCaptureLimits(configuration),
      caller: detectCaller(context.environment, context.directory),
      callerEnvironment: { ...context.environment, ...home },
    }
    const plan = await planSubmission(submission, worktrees)
    const { randomBytes } = await import('node:crypto')
    const ports = {
      store: await holdfast.store(),
      files: await holdfast.files(),
      worktrees,
      clock: systemClock,
      randomBytes,
    }
    // From here on a signal waits: it may not leave half a task, nor one whose id nobody knows.
    const { interrupted } = context
    let task: Task
    try {
      task = await submitTask(plan, ports)
    } catch (error) {
      if (!interrupted.aborted) throw error
      output.tell(`interrupted before it was handed in: ${messageOf(error)}`)
      return signalExitCode(Number(interrupted.reason))
    }
    for (const line of task.request.base.changes?.leftOut ?? []) output.tell(`left out: ${line}`)
    await ringOrTell(context)
    reach('submission.rung')
    if (input.flags.wait === true) return await stay(task, input, context)
    announce(task, input, context)
    reach('submission.id-written')
    if (!interrupted.aborted) return exitCodes.done
    output.tell(`interrupted; ${task.request.id} was handed in, and goes on`)
    return signalExitCode(Number(interrupted.reason))
  },
})

function announce(task: Task, input: RunInput, context: CommandContext): void {
  const { output } = context
  if (input.flags.json === true) {
    const judged = { name: task.state.name, asOf: context.now(), remark: null }
    output.writeJson(viewTask(task, judged))
    return
  }
  const { id, name, base } = task.request
  output.write(`${id}\n`)
  output.tell(`${name}: ${describeBase(base)}`)
  output.tell(`next: holdfast logs -f ${id} · holdfast wait ${id} · holdfast result ${id}`)
}

async function stay(task: Task, input: RunInput, context: CommandContext): Promise<number> {
  const { output } = context
  const { id, name, base } = task.request
  output.tell(`${id} ${name}: ${describeBase(base)}`)
  const { tasks, end } = await waitForTasks(
    [id],
    {
      async onEvents(events) {
        for (const event of events) {
          const line = renderEvent(event, output)
          if (line !== null) output.tell(line)
        }
      },
    },
    context,
  )
  const ended = tasks[0] ?? task
  if (typeof end === 'object') {
    output.tell(`detached; the task goes on. Come back with: holdfast wait ${id}`)
    return signalExitCode(end.interrupted)
  }
  const { state } = ended
  if (input.flags.json === true) {
    output.writeJson(await lookAtTask(ended, context))
    return exitCodeOfState(state.name)
  }
  const result = 'result' in state ? state.result : null
  if (result?.answer != null) output.write(withNewline(result.answer))
  if (state.name === 'failed') {
    output.tell(`failed (${state.failure.code}): ${state.failure.message}`)
    if (state.failure.hint !== undefined) output.tell(`  ${state.failure.hint}`)
  }
  if (result !== null) {
    const next = result.commit === null ? '' : `; see it with: holdfast diff ${id}`
    output.tell(`${describeDelta(result)}${next}`)
  }
  return exitCodeOfState(state.name)
}

const withNewline = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)

/** What is asked of whom: from words, from after `--`, from a file, or from stdin. */
async function readRequest(
  { flags: given, words, verbatim }: RunInput,
  configuration: Configuration,
  context: CommandContext,
): Promise<{ agentName: string; prompt: Uint8Array; argv: readonly string[] }> {
  const names = await context.holdfast.agentNames()
  const [first, second, ...more] = words
  const namesAgent =
    given.agent === undefined && first !== undefined && names.includes(first) && more.length === 0
  const agentName = namesAgent ? first : given.agent
  const rest = namesAgent ? words.slice(1) : words

  refuseFlagsOfOthers(given, agentName)
  if (agentName === 'command') {
    if (rest.length > 0 || given.promptFile !== undefined) {
      throw new AppError('bad_usage', 'the agent command takes a program after --', {
        hint: 'holdfast run command -- npm test',
      })
    }
    return { agentName, prompt: new Uint8Array(), argv: verbatim ?? [] }
  }
  const saysWhat = second !== undefined || verbatim !== undefined || given.promptFile !== undefined
  if (namesAgent && !saysWhat) {
    throw new AppError('bad_usage', `${first} alone is an agent, not a prompt`, {
      hint: `holdfast run ${first} "…"; to read stdin: run -a ${first} -; the word itself: run -- ${first}`,
    })
  }
  const sources = [...rest, ...(verbatim === undefined ? [] : [verbatim.join(' ')])]
  if (sources.length > 1) {
    throw new AppError('bad_usage', `more than one prompt: "${sources[0]}" and "${sources[1]}"`, {
      hint: 'quote the prompt: holdfast run "fix the failing test"',
    })
  }
  const [text] = sources
  if (text !== undefined && given.promptFile !== undefined) {
    throw new AppError('bad_usage', 'a prompt was given, and --prompt-file too')
  }
  const prompt =
    text !== undefined && text !== '-'
      ? await argumentBytes(text, context)
      : given.promptFile !== undefined
        ? await readPromptFile(resolve(context.directory, given.promptFile))
        : await readStdin(context)
  const chosen = agentName ?? configuredAgent(configuration)
  return { agentName: chosen ?? (await firstReadyAgent(context)), prompt, argv: [] }
}

/** A flag that would do nothing is a mistake. */
function refuseFlagsOfOthers(given: RunInput['flags'], agentName: string | undefined): void {
  const isCommand = agentName === 'command'
  const others = isCommand ? (['model', 'effort'] as const) : (['retryOnCrash'] as const)
  const flag = others.find(name => given[name] !== undefined)
  if (flag === undefined) return
  const whom = isCommand ? 'the agent command' : 'any agent but command'
  throw new AppError('bad_usage', `--${dashed(flag)} does nothing for ${whom}`, {
    hint: 'holdfast run --help',
  })
}

/**
 * Node replaces bytes of an argument that are no UTF-8; where it may have, the bytes themselves
 * are taken, so that they are refused by name and not passed on changed.
 */
async function argumentBytes(text: string, { holdfast }: CommandContext): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  if (!text.includes('\uFFFD')) return bytes
  const commandLine = (await holdfast.processes()).ownCommandLine()
  return commandLine === undefined || Buffer.from(commandLine).includes(Buffer.from(bytes))
    ? bytes
    : new Uint8Array([0xff])
}

async function readPromptFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new AppError('bad_usage', `the prompt file cannot be read: ${messageOf(cause)}`, {
      cause,
    })
  }
}

async function readStdin({ stdin }: CommandContext): Promise<Uint8Array> {
  if (isTerminal(0)) {
    throw new AppError('bad_prompt', 'there is no prompt', {
      hint: 'holdfast run "fix the failing test", or --prompt-file F, or a prompt on stdin',
    })
  }
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The first agent that takes prompts and is installed and logged in. */
async function firstReadyAgent({
  holdfast,
  environment,
  directory,
}: CommandContext): Promise<string> {
  const { agentEnvironment } = await import('../../../domain/environment.ts')
  const problems: string[] = []
  for (const name of await holdfast.agentNames()) {
    const agent = await holdfast.agent(name)
    if (!agent.capabilities.takesPrompt) continue
    try {
      await agent.findInstallation(agentEnvironment(environment), [], directory)
      return name
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      problems.push(`${name}: ${error.message}`)
    }
  }
  throw new AppError('agent_missing', `no agent is ready (${problems.join('; ')})`, {
    hint: 'install one, for example: npm install --global @openai/codex',
  })
}
