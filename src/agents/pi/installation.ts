/**
 * Finds what to run. Pi's npm package is a Node program: it is run by the first `node` on the PATH,
 * as its first line asks for, with a module that tells us of long waits. Any other `pi` is run as
 * it is.
 */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { askProgram } from '../ask-program.ts'
import { findProgram } from '../find-program.ts'
import { isOlder, parseVersion, readPackageVersion } from '../versions.ts'
import { longWaitsModule } from './long-waits.ts'

/** The oldest version tried: its arguments and events are those that we know. */
export const MINIMUM_VERSION = '0.73.1'

/** It bore the first name up to 0.73, and bears the second since. */
const PACKAGED = /\/@(?:mariozechner|earendil-works)\/pi-coding-agent\/dist\/cli\.js$/

const INSTALL = 'npm install -g @mariozechner/pi-coding-agent'

/** Refuses with `agent_missing` or `agent_too_old`. */
export async function findPi(environment: Environment): Promise<AgentInstallation> {
  const { installation, trouble } = await lookForPi(environment)
  if (trouble !== null) throw trouble
  return installation
}

/** What is there, and what is wrong with it. */
export async function lookForPi(
  environment: Environment,
): Promise<
  | { installation: AgentInstallation; trouble: null }
  | { installation: AgentInstallation | null; trouble: AppError }
> {
  const path = environment.PATH ?? ''
  const found = findProgram('pi', path)
  if (found === undefined) return missing('pi is not on the PATH', INSTALL)
  const script = realpathSync(found)
  const isPackaged = PACKAGED.test(script)
  const node = isPackaged ? findProgram('node', path) : undefined
  if (isPackaged && node === undefined) {
    return missing('pi needs node, which is not on the PATH', 'install Node 20 or newer')
  }
  const installation: AgentInstallation =
    node === undefined
      ? {
          program: found,
          leadingArguments: [],
          version: await askVersion(found, environment),
          environment: {},
        }
      : {
          program: node,
          leadingArguments: ['--import', longWaitsModule, script],
          version: readPackageVersion(join(dirname(dirname(script)), 'package.json')),
          environment: {},
        }
  const { version } = installation
  if (version === null || !isOlder(version, MINIMUM_VERSION)) return { installation, trouble: null }
  const message = `pi ${version} is older than ${MINIMUM_VERSION}`
  return { installation, trouble: new AppError('agent_too_old', message, { hint: INSTALL }) }
}

function missing(message: string, hint: string): { installation: null; trouble: AppError } {
  return { installation: null, trouble: new AppError('agent_missing', message, { hint }) }
}

async function askVersion(program: string, environment: Environment): Promise<string | null> {
  const answer = await askProgram(program, ['--version'], environment)
  return answer === undefined ? null : parseVersion(answer.words)
}
