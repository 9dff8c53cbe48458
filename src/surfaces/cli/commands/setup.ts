import { AppError, messageOf } from '../../../domain/errors.ts'
import {
  describeAddition,
  type HostName,
  hostNames,
  hostTitles,
  ORIGINAL_CODEX_PLUGIN,
} from '../../../domain/hosts.ts'
import type { FoundHost, Hosts, PlannedAddition } from '../../../ports/hosts.ts'
import { isStopReviewed, switchStopReview } from '../../stop-review.ts'
import { isTerminal } from '../../terminal.ts'
import type { SetupView } from '../../view.ts'
import { openAsker } from '../ask-yes.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseChoice } from '../flags.ts'
import { type AgentView, lookAtAgents, renderAgent } from '../look-at-agents.ts'

type HostView = SetupView['hosts'][number]
type AdditionView = HostView['additions'][number]
type ToolView = SetupView['tools'][number]

const usage = 'setup [--host NAME…]'

const flags = {
  yes: { about: 'add what is missing to all hosts that are here, without asking', short: 'y' },
  host: {
    about: 'add it to this one; may be given several times',
    value: 'NAME',
    choices: hostNames,
    repeats: true,
  },
  codexCommands: {
    about: 'Claude Code: /codex:* are Holdfast’s; the plugin that has those names is turned off',
  },
  enableReviewGate: {
    about: 'Claude Code: in this repository a session stops only after a review of its turn',
  },
  disableReviewGate: { about: 'it stops as it likes again' },
  ...jsonFlag,
} as const

interface Given {
  readonly yes?: true
  readonly host?: readonly string[]
  readonly codexCommands?: true
  readonly enableReviewGate?: true
  readonly disableReviewGate?: true
  readonly json?: true
}

export const setup = defineCommand({
  name: 'setup',
  group: 'Keep house',
  summary: 'First steps: what is missing; and Holdfast for Claude Code, Codex and others',
  usage,
  flags,
  examples: [
    'holdfast setup',
    'holdfast setup --yes',
    'holdfast setup --host claude --codex-commands',
    'holdfast setup --enable-review-gate',
    'holdfast setup --json',
  ],
  async run({ flags: given, words }, context) {
    refuseWords(words, usage)
    const { holdfast, output } = context
    const named = (given.host ?? []).map(name => parseChoice(name, 'host', hostNames))
    const isAsked = given.yes === true || named.length > 0 || given.codexCommands === true
    if (isAsked) requireMayAdd(context)
    await switchGate(given, context)
    const tools = await lookAtTools(context)
    const agents = await lookAtAgents(context)
    const hosts = await holdfast.hosts()
    const found = await hosts.find()
    for (const name of named) requireFound(name, found)
    if (given.json !== true) output.write(renderStart(tools, agents, context))
    const chosen = isAsked
      ? choose(found, named, given)
      : await askFor(found, given.json === true, context)
    const views: HostView[] = []
    for (const host of found)
      views.push(await addTo(host, chosen.get(host.name) ?? [], hosts, context))
    const ready = tools.every(({ problem }) => problem === null) && agents.some(isReadyAgent)
    const reviewGate = await isGateOn(context)
    const view = { ready, tools: [...tools], hosts: views, reviewGate }
    if (given.json === true) output.writeJson({ ...view, agents })
    else {
      output.write(views.map(one => renderHost(one, context)).join(''))
      output.write(`\nReview gate  ${describeGate(reviewGate)}\n`)
      tellNext(view, context)
    }
    return views.some(view => hasFailed(view, chosen.has(view.name)))
      ? exitCodes.refused
      : exitCodes.done
  },
})

async function switchGate(
  { enableReviewGate: on, disableReviewGate: off }: Given,
  context: CommandContext,
): Promise<void> {
  if (on === true && off === true) {
    throw new AppError('bad_usage', '--enable-review-gate and --disable-review-gate: one of them')
  }
  if (on === true || off === true) await switchStopReview(on === true, context)
}

/** A mistake in the user's file is said where it is looked for; here nobody is kept from looking. */
async function isGateOn({ holdfast, directory }: CommandContext): Promise<boolean | null> {
  try {
    return isStopReviewed((await holdfast.configuration(null)).user, directory)
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

function describeGate(on: boolean | null): string {
  if (on === null) return 'not known: config.json cannot be read'
  return on
    ? 'on here: a session of Claude Code stops only after a review of its turn'
    : 'off here (holdfast setup --enable-review-gate)'
}

/** An agent that added itself to its user's hosts would give itself more than it was given. */
function requireMayAdd({ caller, holdfast }: CommandContext): void {
  if (caller.kind === 'task') {
    throw new AppError(
      'refused_in_state',
      'a task cannot add anything to hosts: that is for the user',
      {
        hint: 'in a terminal of yours: holdfast setup',
      },
    )
  }
  const [, entry] = holdfast.command
  if (isPassing(entry)) {
    throw new AppError('refused_in_state', `${entry} is in the cache of npx, which forgets it`, {
      hint: 'install it first: npm install --global holdfast',
    })
  }
}

const isPassing = (entry: string) => entry.includes('/_npx/')

function requireFound(name: HostName, found: readonly FoundHost[]): void {
  const host = found.find(one => one.name === name)
  if (host === undefined || host.program === null) {
    throw new AppError('agent_missing', `${hostTitles[name]} is not installed here`, {
      hint: 'holdfast setup shows which hosts are',
    })
  }
}

/** One that cannot be asked has failed whoever wanted something of it. */
const hasFailed = ({ problem, additions }: HostView, isChosen: boolean) =>
  (isChosen && problem !== null) || additions.some(({ state }) => state === 'failed')

const isReadyAgent = ({ ready, name }: AgentView) => ready && name !== 'command'

async function lookAtTools({ holdfast }: CommandContext): Promise<readonly ToolView[]> {
  const node = { name: 'node', version: process.versions.node, problem: null, hint: null }
  const [, entry] = holdfast.command
  const onPath = await holdfast.findProgram('holdfast')
  return [
    node,
    await lookAtGit(holdfast),
    {
      name: 'holdfast',
      version: null,
      problem: onPath === undefined ? 'not on the PATH: agents in hosts call it by its name' : null,
      hint: onPath === undefined ? `npm install --global ${packageOf(entry)}` : null,
    },
  ]
}

/** The directory of this package. */
const packageOf = (entry: string) => entry.replace(/\/bin\/[^/]*$/, '')

async function lookAtGit(holdfast: CommandContext['holdfast']): Promise<ToolView> {
  try {
    const version = await (await holdfast.worktrees()).gitVersion()
    return { name: 'git', version, problem: null, hint: null }
  } catch (error) {
    return {
      name: 'git',
      version: null,
      problem: messageOf(error),
      hint: 'install git 2.38 or newer',
    }
  }
}

type Choice = ReadonlyMap<HostName, readonly PlannedAddition[]>

const isOpen = ({ state }: PlannedAddition) => state === 'missing' || state === 'outdated'

/** `--codex-commands` alone is about Claude Code. */
function choose(
  found: readonly FoundHost[],
  named: readonly HostName[],
  { yes, codexCommands }: Given,
): Choice {
  const isChosen = (name: HostName) =>
    yes === true || named.includes(name) || (codexCommands === true && name === 'claude')
  return new Map(
    found
      .filter(({ name }) => isChosen(name))
      .map(({ name, plan }) => [
        name,
        plan.filter(one => isOpen(one) && (codexCommands === true || !one.isForCodexCommands)),
      ]),
  )
}

/** Nothing where nobody sits at a terminal: then it is only shown. */
async function askFor(
  found: readonly FoundHost[],
  json: boolean,
  context: CommandContext,
): Promise<Choice> {
  const chosen = new Map<HostName, readonly PlannedAddition[]>()
  const mayAdd = context.caller.kind !== 'task' && !isPassing(context.holdfast.command[1])
  const isWanted = found.some(({ plan }) => plan.some(isOpen))
  if (json || !mayAdd || !isWanted || !isTerminal(0) || !isTerminal(2)) return chosen
  const asker = await openAsker(context)
  try {
    for (const { name, plan } of found) {
      const open = plan.filter(isOpen)
      const own = open.filter(({ isForCodexCommands }) => !isForCodexCommands)
      const what = own.map(({ addition }) => describeAddition(addition)).join(' and ')
      const agreed: PlannedAddition[] = []
      if (own.length > 0 && (await asker.ask(`${hostTitles[name]} found: add ${what}?`, true))) {
        agreed.push(...own)
      }
      const isAdded = own.length === 0 || agreed.length > 0
      const others = open.filter(({ isForCodexCommands }) => isForCodexCommands)
      if (isAdded && others.some(isOriginal)) {
        const question = `Codex plugin found: use Holdfast for /codex:*? (${ORIGINAL_CODEX_PLUGIN} is turned off meanwhile)`
        if (await asker.ask(question, false)) agreed.push(...others)
      }
      if (agreed.length > 0) chosen.set(name, agreed)
    }
  } finally {
    asker.close()
  }
  return chosen
}

const isOriginal = ({ addition }: PlannedAddition) => addition.kind === 'turned_off'

/** What one thing depends on comes before it: after a failure nothing more is added to that host. */
async function addTo(
  host: FoundHost,
  chosen: readonly PlannedAddition[],
  hosts: Hosts,
  { output }: CommandContext,
): Promise<HostView> {
  const { name, program, problem, plan } = host
  const additions: AdditionView[] = []
  let isOver = false
  for (const planned of plan) {
    const view = viewAddition(planned)
    if (!chosen.includes(planned) || isOver) {
      additions.push(view)
      continue
    }
    try {
      output.tell(`${hostTitles[name]}: ${planned.how}`)
      await hosts.add(host, planned)
      additions.push({ ...view, state: 'added' })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      isOver = true
      additions.push({ ...view, state: 'failed', problem: error.message })
    }
  }
  return { name, program, problem, additions }
}

function viewAddition({ addition, how, state, isForCodexCommands }: PlannedAddition): AdditionView {
  return {
    kind: addition.kind,
    what: describeAddition(addition),
    how,
    state,
    problem: state === 'in_the_way' ? 'something else is in its place, and stays' : null,
    forCodexCommands: isForCodexCommands,
  }
}

function renderStart(
  tools: readonly ToolView[],
  agents: readonly AgentView[],
  context: CommandContext,
): string {
  const lines = tools.map(({ name, version, problem, hint }) => {
    const label = context.output.style(problem === null ? 'green' : 'yellow', name.padEnd(13))
    return `${label}${problem ?? version ?? 'on the PATH'}${hint === null ? '' : `: ${hint}`}`
  })
  return [
    ...lines,
    '',
    'Agents, which do tasks:',
    ...renderAgents(agents, context),
    '',
    'Hosts, whose agents hand tasks in:\n',
  ].join('\n')
}

/** How one is installed matters only while there is none. */
function renderAgents(agents: readonly AgentView[], context: CommandContext): readonly string[] {
  const all = agents.filter(({ name }) => name !== 'command')
  const isMissing = ({ trouble }: AgentView) => trouble?.code === 'agent_missing'
  const shown = all.some(isReadyAgent) ? all.filter(view => !isMissing(view)) : all
  const missing = all.filter(view => !shown.includes(view)).map(({ name }) => name)
  const rest =
    missing.length === 0 ? [] : [`not installed (holdfast agents): ${missing.join(', ')}`]
  return [...shown.map(view => renderAgent(view, context)), ...rest]
}

const states: Readonly<Record<AdditionView['state'], string>> = {
  there: 'there',
  missing: 'missing',
  outdated: 'of another version',
  in_the_way: 'not added',
  added: 'added',
  failed: 'not added',
}

function renderHost(view: HostView, { output }: CommandContext): string {
  const { name, program, problem, additions } = view
  const label = output.style(program === null ? 'dim' : 'bold', hostTitles[name].padEnd(13))
  if (program === null) return `${label}not installed\n`
  if (problem !== null) return `${label}${problem}\n`
  const lines = additions
    .filter(({ forCodexCommands, state }) => !forCodexCommands || state !== 'missing')
    .map(({ kind, what, how, state, problem: why }) => {
      const isSaid = state === 'there' || kind === 'skill'
      const rest = why === null ? (isSaid ? '' : ` (${how})`) : `: ${why}`
      return `${what}: ${states[state]}${rest}`
    })
  return `${label}${lines.join(`\n${' '.repeat(13)}`)}\n`
}

function tellNext(
  { tools, hosts, ready }: Omit<SetupView, 'agents'>,
  { output }: CommandContext,
): void {
  const isMissing = ({ state, forCodexCommands }: AdditionView) =>
    !forCodexCommands && (state === 'missing' || state === 'outdated')
  const isAdded = ({ state }: AdditionView) => state === 'added'
  const all = hosts.flatMap(({ additions }) => additions)
  if (all.some(isAdded)) {
    output.tell(
      'sessions that run already see it when they start anew; holdfast uninstall takes it out',
    )
  }
  const steps = [
    ...tools.flatMap(({ hint }) => hint ?? []),
    ...(all.some(isMissing) ? ['holdfast setup --yes'] : []),
    ...(ready ? ['holdfast run "…"'] : []),
  ]
  output.tell(`next: ${steps.length === 0 ? 'install an agent, as said above' : steps.join(' · ')}`)
}
