/**
 * Finds what to run. Pi's npm package is a Node program: it is run by the first `node` on the PATH,
 * as its first line asks for, with a module that tells us of long waits. Any other `pi` is run as
 * it is.
 */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { findProgram } from '../find-program.ts'
import { askVersion, judgeVersion, missing, type Sight } from '../installation.ts'
import { readPackageVersion } from '../versions.ts'
import { longWaitsModule } from './long-waits.ts'

/** The oldest version tried: its arguments and events are those that we know. */
const MINIMUM_VERSION = '0.73.1'

/** It bore the first name up to 0.73, and bears the second since. */
const PACKAGED = /\/@(?:mariozechner|earendil-works)\/pi-coding-agent\/dist\/cli\.js$/

const INSTALL = 'npm install -g @mariozechner/pi-coding-agent'

/** What is there, and what is wrong with it. */
export async function lookForPi(environment: Environment): Promise<Sight> {
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
  return judgeVersion('pi', installation, MINIMUM_VERSION, INSTALL)
}
