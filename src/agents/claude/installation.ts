/**
 * Finds what to run. The npm package's `claude` is the native binary itself, or a link to it, once
 * its install script has run; else a Node program stands there that starts it and stays in front.
 */
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { findProgram, isExecutable } from '../find-program.ts'
import { askVersion, judgeVersion, missing, type Sight } from '../installation.ts'
import { isOlder, readPackageVersion } from '../versions.ts'

/** The oldest version whose lines and signals were tried. Tried: 2.1.197, 2.1.329. */
const MINIMUM_VERSION = '2.1.197'

/** The oldest version that was talked to. What is older is given its prompt alone. */
const DIALOGUE_VERSION = '2.1.329'

export function canBeTalkedTo({ version }: Pick<AgentInstallation, 'version'>): boolean {
  return version === null || !isOlder(version, DIALOGUE_VERSION)
}

const INSTALL = 'npm install -g @anthropic-ai/claude-code'

/** What is there, and what is wrong with it. */
export async function lookForClaude(environment: Environment): Promise<Sight> {
  const found = findProgram('claude', environment.PATH ?? '')
  if (found === undefined) return missing('claude is not on the PATH', INSTALL)
  const installation = findPackaged(realpathSync(found)) ?? {
    program: found,
    leadingArguments: [],
    version: await askVersion(found, environment),
    environment: {},
  }
  return judgeVersion(
    'claude',
    installation,
    MINIMUM_VERSION,
    `claude update, or ${INSTALL}@latest`,
  )
}

/** The native binary of the npm package that this program belongs to. */
function findPackaged(program: string): AgentInstallation | undefined {
  const [root] = program.match(/^.*\/@anthropic-ai\/claude-code(?=\/)/) ?? []
  if (root === undefined) return undefined
  const version = readPackageVersion(join(root, 'package.json'))
  const native = program.endsWith('.cjs') ? findBeside(program) : program
  return native === undefined
    ? undefined
    : { program: native, leadingArguments: [], version, environment: {} }
}

/** The package of this platform, beside the main one or nested in it. */
function findBeside(program: string): string | undefined {
  const name = `@anthropic-ai/claude-code-${process.platform}-${process.arch}`
  for (const platform of [name, `${name}-musl`]) {
    try {
      const packageFile = createRequire(program).resolve(`${platform}/package.json`)
      const native = join(dirname(packageFile), 'claude')
      if (isExecutable(native)) return native
    } catch {
      // Not installed: npm takes the one that fits.
    }
  }
  return undefined
}
