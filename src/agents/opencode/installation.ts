/** Finds what to run: the npm package's program is the native binary itself. */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { askProgram } from '../ask-program.ts'
import { findProgram } from '../find-program.ts'
import { isOlder, parseVersion, readPackageVersion } from '../versions.ts'

/** The oldest version tried: its arguments (`--auto`) and events are those that we know. */
export const MINIMUM_VERSION = '1.18.33'

const PACKAGED = /\/opencode-ai\/bin\/opencode(?:\.exe)?$/

const INSTALL = 'npm install -g opencode-ai'

/** Refuses with `agent_missing` or `agent_too_old`. */
export async function findOpenCode(environment: Environment): Promise<AgentInstallation> {
  const { installation, trouble } = await lookForOpenCode(environment)
  if (trouble !== null) throw trouble
  return installation
}

/** What is there, and what is wrong with it. */
export async function lookForOpenCode(
  environment: Environment,
): Promise<
  | { installation: AgentInstallation; trouble: null }
  | { installation: AgentInstallation | null; trouble: AppError }
> {
  const found = findProgram('opencode', environment.PATH ?? '')
  if (found === undefined) {
    const trouble = new AppError('agent_missing', 'opencode is not on the PATH', { hint: INSTALL })
    return { installation: null, trouble }
  }
  const program = realpathSync(found)
  const packaged = PACKAGED.test(program)
    ? readPackageVersion(join(dirname(dirname(program)), 'package.json'))
    : null
  const installation: AgentInstallation = {
    program,
    leadingArguments: [],
    version: packaged ?? (await askVersion(program, environment)),
    environment: {},
  }
  const { version } = installation
  if (version === null || !isOlder(version, MINIMUM_VERSION)) return { installation, trouble: null }
  const message = `opencode ${version} is older than ${MINIMUM_VERSION}`
  return {
    installation,
    trouble: new AppError('agent_too_old', message, { hint: `${INSTALL}@latest` }),
  }
}

async function askVersion(program: string, environment: Environment): Promise<string | null> {
  const answer = await askProgram(program, ['--version'], environment)
  return answer === undefined ? null : parseVersion(answer.words)
}
