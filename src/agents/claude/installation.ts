/**
 * Finds what to run. The npm package's `claude` is the native binary itself, or a link to it, once
 * its install script has run; else a Node program stands there that starts it and stays in front.
 */
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { askProgram } from '../ask-program.ts'
import { findProgram, isExecutable } from '../find-program.ts'
import { isOlder, parseVersion, readPackageVersion } from '../versions.ts'

/** The oldest version whose lines and signals were tried. Tried: 2.1.197, 2.1.329. */
export const MINIMUM_VERSION = '2.1.197'

/** The oldest version that was talked to. What is older is given its prompt alone. */
const DIALOGUE_VERSION = '2.1.329'

export function canBeTalkedTo({ version }: Pick<AgentInstallation, 'version'>): boolean {
  return version === null || !isOlder(version, DIALOGUE_VERSION)
}

export type Sight =
  | { readonly installation: AgentInstallation; readonly trouble: null }
  | { readonly installation: AgentInstallation | null; readonly trouble: AppError }

/** What is there, and what is wrong with it: `agent_missing` or `agent_too_old`. */
export async function lookForClaude(environment: Environment): Promise<Sight> {
  const found = findProgram('claude', environment.PATH ?? '')
  if (found === undefined) {
    const trouble = new AppError('agent_missing', 'claude is not on the PATH', {
      hint: 'npm install -g @anthropic-ai/claude-code',
    })
    return { installation: null, trouble }
  }
  const installation = findPackaged(realpathSync(found)) ?? {
    program: found,
    leadingArguments: [],
    version: parseVersion((await askProgram(found, ['--version'], environment))?.words ?? ''),
    environment: {},
  }
  const { version } = installation
  if (version === null || !isOlder(version, MINIMUM_VERSION)) return { installation, trouble: null }
  const trouble = new AppError(
    'agent_too_old',
    `claude ${version} is older than ${MINIMUM_VERSION}`,
    { hint: 'claude update, or npm install -g @anthropic-ai/claude-code@latest' },
  )
  return { installation, trouble }
}

/**
 * Runs `claude auth status --text`, which also renews a login that is about to run out (seen from
 * 2.1.329; takes a quarter of a second). Undefined where it did not answer in time, or not at all.
 */
export async function askLogin(
  { program, leadingArguments }: AgentInstallation,
  environment: Environment,
): Promise<{ readonly ok: boolean; readonly words: string } | undefined> {
  const args = [...leadingArguments, 'auth', 'status', '--text']
  const answer = await askProgram(program, args, environment)
  return answer === undefined ? undefined : { ok: answer.code === 0, words: answer.words }
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
