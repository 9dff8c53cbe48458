/** Finds what to run: the npm package's program is the native binary itself. */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { findProgram } from '../find-program.ts'
import { askVersion, judgeVersion, missing, type Sight } from '../installation.ts'
import { readPackageVersion } from '../versions.ts'

/** The oldest version tried: its arguments (`--auto`) and events are those that we know. */
const MINIMUM_VERSION = '1.18.33'

const PACKAGED = /\/opencode-ai\/bin\/opencode(?:\.exe)?$/

const INSTALL = 'npm install -g opencode-ai'

/** What is there, and what is wrong with it. */
export async function lookForOpenCode(environment: Environment): Promise<Sight> {
  const found = findProgram('opencode', environment.PATH ?? '')
  if (found === undefined) return missing('opencode is not on the PATH', INSTALL)
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
  return judgeVersion('opencode', installation, MINIMUM_VERSION, `${INSTALL}@latest`)
}
