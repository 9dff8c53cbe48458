/** What is found of each agent: for `agents` and `setup`. */
import {
  type Configuration,
  configuredAgent,
  configuredPermissions,
} from '../../domain/configuration.ts'
import { agentEnvironment } from '../../domain/environment.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { settlePermissions } from '../../engine/settle-permissions.ts'
import type { Environment } from '../../ports/agent.ts'
import { findCheckout } from '../common-git-dir.ts'
import type { AgentsView } from '../view.ts'
import type { CommandContext } from './command.ts'

export type AgentView = AgentsView['agents'][number]

/** In the order in which they are chosen by default. One of them is the default, if any can be. */
export async function lookAtAgents(context: CommandContext): Promise<readonly AgentView[]> {
  const { holdfast } = context
  const configuration = await loadOrTell(context)
  const environment = agentEnvironment(context.environment)
  const views: AgentView[] = []
  for (const name of await holdfast.agentNames()) {
    views.push(await lookAt(name, configuration, environment, context))
  }
  const chosen = configuredAgent(configuration) ?? (await firstReady(views, context))
  return views.map(view => ({ ...view, default: view.name === chosen }))
}

/** A mistake in a file keeps nobody from looking. */
async function loadOrTell({ holdfast, directory, output }: CommandContext): Promise<Configuration> {
  try {
    return await holdfast.configuration(findCheckout(directory)?.root ?? null)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    output.tell(`holdfast: ${error.message}`)
    if (error.hint !== undefined) output.tell(`  ${error.hint}`)
    return { environment: {}, repository: {}, user: {} }
  }
}

async function lookAt(
  name: string,
  configuration: Configuration,
  environment: Environment,
  { holdfast }: CommandContext,
): Promise<AgentView> {
  const agent = await holdfast.agent(name)
  const { installation, login, trouble } = await agent.look(environment)
  const wish = { asked: configuredPermissions(configuration) ?? null, parent: undefined }
  const confinement = await holdfast.confinement()
  const permissions = await settlePermissions(agent, wish, environment, confinement).catch(
    (error: unknown) => asRefusal(error),
  )
  const problem = trouble ?? (permissions instanceof AppError ? permissions : null)
  return {
    name,
    ready: trouble === null,
    default: false,
    program: installation?.program ?? null,
    version: installation?.version ?? null,
    testedVersion: agent.testedVersion,
    login,
    permissions:
      permissions instanceof AppError
        ? null
        : { effective: permissions.effective, enforcedBy: permissions.enforcedBy },
    trouble:
      problem === null
        ? null
        : { code: problem.code, message: messageOf(problem), hint: problem.hint ?? null },
  }
}

function asRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error
  throw error
}

async function firstReady(
  views: readonly AgentView[],
  { holdfast }: CommandContext,
): Promise<string | undefined> {
  for (const { name, ready } of views) {
    if (ready && (await holdfast.agent(name)).capabilities.takesPrompt) return name
  }
  return undefined
}

const logins: Readonly<Record<AgentView['login'], string | null>> = {
  present: 'logged in',
  missing: 'not logged in',
  unknown: 'login unknown until a task asks',
  'not needed': null,
}

const confiners = { agent: 'itself', system: 'the system', none: 'nobody' } as const

function describeVersion({ version, testedVersion }: AgentView): string {
  const seen = version ?? 'version unknown'
  return testedVersion === null || version === testedVersion
    ? seen
    : `${seen} (tested with ${testedVersion})`
}

export function renderAgent(view: AgentView, { output }: CommandContext): string {
  const { name, program, permissions, trouble } = view
  const label = output.style(view.ready ? 'green' : 'yellow', name.padEnd(13))
  const remedy = trouble?.hint ? `: ${trouble.hint}` : ''
  const problem = trouble === null ? '' : `\n             ${trouble.message}${remedy}`
  if (trouble?.code === 'agent_missing') return `${label}not installed${problem}`
  const facts = [
    view.default ? 'default' : null,
    program === null ? 'any program' : describeVersion(view),
    logins[view.login],
    permissions && `${permissions.effective}, confined by ${confiners[permissions.enforcedBy]}`,
    program,
  ]
  return `${label}${facts.filter(fact => fact !== null).join(' · ')}${problem}`
}
