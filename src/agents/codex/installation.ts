/**
 * Finds what to run. The npm package's `codex` is a Node program that starts a native binary and
 * stays in front of it: killed alone, it leaves the binary at work. So the binary is run itself,
 * with the environment that the Node program would have given it.
 */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import type { AgentInstallation, Environment } from '../../ports/agent.ts'
import { findProgram, isExecutable } from '../find-program.ts'
import { askVersion, judgeVersion, missing, type Sight } from '../installation.ts'
import { readPackageVersion } from '../versions.ts'

/**
 * The oldest version tried: its `exec --json` and `exec resume` take the same arguments and write
 * the same events, and hold the sandbox when resumed. Tried: 0.80.0, 0.120.0, 0.169.0.
 */
const MINIMUM_VERSION = '0.80.0'

const INSTALL = 'npm install -g @openai/codex'

const TRIPLES: Readonly<Record<string, string>> = {
  'linux-x64': 'x86_64-unknown-linux-musl',
  'linux-arm64': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
}

/** What is there, and what is wrong with it. */
export async function lookForCodex(environment: Environment): Promise<Sight> {
  const found = findProgram('codex', environment.PATH ?? '')
  if (found === undefined) return missing('codex is not on the PATH', INSTALL)
  const installation = findPackaged(realpathSync(found), environment) ?? {
    program: found,
    leadingArguments: [],
    version: await askVersion(found, environment),
    environment: {},
  }
  return judgeVersion('codex', installation, MINIMUM_VERSION, `${INSTALL}@latest`)
}

/** The native binary of the npm package whose `bin/codex.js` this is. */
function findPackaged(shim: string, environment: Environment): AgentInstallation | undefined {
  if (!shim.endsWith('/@openai/codex/bin/codex.js')) return undefined
  const root = dirname(dirname(shim))
  const platform = `${process.platform}-${process.arch}`
  const triple = TRIPLES[platform]
  if (triple === undefined) return undefined
  for (const vendor of vendorDirectories(shim, root, platform)) {
    // 0.169.0 has bin/codex, and finds its other programs itself; 0.80.0 and 0.120.0 have
    // codex/codex, and a directory of programs that their shim put on the PATH.
    const program = ['bin/codex', 'codex/codex']
      .map(name => join(vendor, triple, name))
      .find(isExecutable)
    if (program === undefined) continue
    const tools = join(vendor, triple, 'path')
    return {
      program,
      leadingArguments: [],
      version: readPackageVersion(join(root, 'package.json')),
      environment: {
        CODEX_MANAGED_BY_NPM: '1',
        CODEX_MANAGED_PACKAGE_ROOT: root,
        ...(existsSync(tools) && { PATH: [tools, environment.PATH].join(delimiter) }),
      },
    }
  }
  return undefined
}

/** Beside the package or nested in it, as npm, pnpm and others put it; in 0.80.0 the package's own. */
function vendorDirectories(shim: string, root: string, platform: string): readonly string[] {
  const own = join(root, 'vendor')
  try {
    const beside = createRequire(shim).resolve(`@openai/codex-${platform}/package.json`)
    return [join(dirname(beside), 'vendor'), own]
  } catch {
    return [own]
  }
}
