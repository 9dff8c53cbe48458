import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { agentEnvironment } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { writePretty } from './print.ts'
import { isGateEnabled, setGate } from './review-gate.ts'
import { describeRuntime, type SessionRuntime } from './session-runtime.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

interface Check {
  readonly available: boolean
  readonly detail: string
}

/** Null: nobody has asked Codex for that. */
interface Login extends Check {
  readonly loggedIn: boolean
  readonly source: 'codex'
  readonly authMethod: null
  readonly verified: null
  readonly requiresOpenaiAuth: boolean
  readonly provider: null
}

interface SetupReport {
  readonly ready: boolean
  readonly node: Check
  readonly npm: Check
  readonly codex: Check
  readonly auth: Login
  readonly sessionRuntime: SessionRuntime
  readonly reviewGateEnabled: boolean
  readonly actionsTaken: readonly string[]
  readonly nextSteps: readonly string[]
}

export const setup: Subcommand = {
  grammar: {
    values: [],
    switches: ['enable-review-gate', 'disable-review-gate'],
    takesText: false,
  },
  async run({ switches }, context) {
    const enable = switches.has('enable-review-gate')
    const disable = switches.has('disable-review-gate')
    if (enable && disable) {
      throw new Refusal('Choose either --enable-review-gate or --disable-review-gate.')
    }
    const root = findCheckout(context.directory)?.root ?? context.directory
    if (enable || disable) setGate(root, enable, context.environment)
    const done = `${enable ? 'Enabled' : 'Disabled'} the stop-time review gate for ${root}.`
    const report = await makeReport(root, enable || disable ? [done] : [], context)
    if (switches.has('json')) writePretty(report, context.output)
    else context.output.write(render(report))
    return 0
  },
}

async function makeReport(
  root: string,
  actionsTaken: readonly string[],
  context: CommandContext,
): Promise<SetupReport> {
  const { codex, auth } = await lookAtCodex(context)
  const reviewGateEnabled = isGateEnabled(root, context.environment)
  return {
    ready: codex.available && auth.loggedIn,
    node: { available: true, detail: process.version },
    npm: findProgram('npm', context.environment.PATH),
    codex,
    auth,
    sessionRuntime: await describeRuntime(context),
    reviewGateEnabled,
    actionsTaken,
    nextSteps: [
      ...(codex.available ? [] : ['Install Codex with `npm install -g @openai/codex`.']),
      ...(codex.available && !auth.loggedIn ? ['Run `!codex login`.'] : []),
      ...(reviewGateEnabled ? [] : [GATE_STEP]),
    ],
  }
}

const GATE_STEP =
  'Optional: run `/codex:setup --enable-review-gate` to require a fresh review before stop.'

async function lookAtCodex({
  holdfast,
  environment,
  directory,
}: CommandContext): Promise<Pick<SetupReport, 'codex' | 'auth'>> {
  const agent = await holdfast.agent('codex')
  const login = { source: 'codex', authMethod: null, verified: null, provider: null } as const
  try {
    // As a job would: a login that no file shows is asked for.
    const found = await agent.findInstallation(agentEnvironment(environment), [], directory)
    const detail = `codex-cli ${found.version ?? '(version unknown)'} at ${found.program}`
    return {
      codex: { available: true, detail },
      auth: {
        available: true,
        loggedIn: true,
        detail: 'logged in, as far as can be seen without a request',
        requiresOpenaiAuth: false,
        ...login,
      },
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const available = error.code === 'agent_logged_out'
    const detail = error.message
    return {
      codex: { available, detail: available ? 'installed' : detail },
      auth: { available, loggedIn: false, detail, requiresOpenaiAuth: available, ...login },
    }
  }
}

function findProgram(name: string, path = ''): Check {
  for (const directory of path.split(delimiter).filter(one => one !== '')) {
    const program = join(directory, name)
    try {
      accessSync(program, constants.X_OK)
      return { available: true, detail: program }
    } catch {
      // Not in this one.
    }
  }
  return { available: false, detail: 'not found' }
}

function render(report: SetupReport): string {
  const { actionsTaken, nextSteps } = report
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', title, ...lines.map(line => `- ${line}`)]
  const lines = [
    '# Codex Setup',
    '',
    `Status: ${report.ready ? 'ready' : 'needs attention'}`,
    '',
    'Checks:',
    `- node: ${report.node.detail}`,
    `- npm: ${report.npm.detail}`,
    `- codex: ${report.codex.detail}`,
    `- auth: ${report.auth.detail}`,
    `- session runtime: ${report.sessionRuntime.label}`,
    `- review gate: ${report.reviewGateEnabled ? 'enabled' : 'disabled'}`,
    ...list('Actions taken:', actionsTaken),
    ...list('Next steps:', nextSteps),
  ]
  return `${lines.join('\n')}\n`
}
