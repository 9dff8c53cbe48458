/**
 * Installs a real agent, of a version that is known to work, into a cache outside of any project:
 * for the demo and the tests. An installation is made beside its place and renamed into it, so
 * that a half one is never taken for a whole one and two at once do not disturb each other.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

interface Pin {
  readonly package: string
  /** Always exact: left to itself, npm takes an older one that suits the running Node. */
  readonly version: string
  readonly bin: string
  /** What starts the program and makes it exit with 0 at once. */
  readonly trial: readonly string[]
}

const VERSION = ['--version']

/** The versions that the tests run against. */
const PINNED = {
  codex: { package: '@openai/codex', version: '0.169.0', bin: 'codex', trial: VERSION },
  claude: {
    package: '@anthropic-ai/claude-code',
    version: '2.1.329',
    bin: 'claude',
    trial: VERSION,
  },
  opencode: { package: 'opencode-ai', version: '1.18.33', bin: 'opencode', trial: VERSION },
  pi: { package: '@mariozechner/pi-coding-agent', version: '0.73.1', bin: 'pi', trial: VERSION },
  gemini: { package: '@google/gemini-cli', version: '0.61.0', bin: 'gemini', trial: VERSION },
  'claude-acp': {
    package: '@agentclientprotocol/claude-agent-acp',
    version: '0.49.0',
    bin: 'claude-agent-acp',
    trial: [], // It knows no --version, and exits where its stdin has ended.
  },
  'codex-acp': {
    package: '@agentclientprotocol/codex-acp',
    version: '2.6.0',
    bin: 'codex-acp',
    trial: VERSION,
  },
  // A host, and no agent of ours; 650 MB.
  openclaw: { package: 'openclaw', version: '2026.9.6', bin: 'openclaw', trial: VERSION },
} as const satisfies Readonly<Record<string, Pin>>

export type PinnedAgent = keyof typeof PINNED

/** The names that `ensureAgent` takes. */
export const PINNED_AGENTS = Object.keys(PINNED) as readonly PinnedAgent[]

export interface InstalledAgent {
  /** The program, an absolute path. */
  readonly bin: string
  readonly directory: string
  readonly version: string
}

export interface EnsureOptions {
  /** No progress line on stderr. */
  readonly quiet?: boolean
  /** Where installations are kept; `$XDG_CACHE_HOME/holdfast/agents` unless told. */
  readonly cache?: string
}

/** What npm left half-done is of no use to anybody after a day. */
const ABANDONED_MS = 24 * 60 * 60_000

/**
 * The agent's program, installed if need be (needs `npm` and the network; half a minute). A whole
 * installation is found in under a millisecond. Rejects with npm's own words where it fails.
 */
export async function ensureAgent(
  name: PinnedAgent,
  options: EnsureOptions = {},
): Promise<InstalledAgent> {
  const pinned = PINNED[name]
  const cache = options.cache ?? defaultCache()
  const found = findInstalledAgent(name, cache)
  if (found !== undefined) return found

  if (options.quiet !== true) {
    process.stderr.write(`installing ${pinned.package} ${pinned.version} into ${cache} …\n`)
  }
  await mkdir(cache, { recursive: true })
  await sweepAbandoned(cache)
  const scratch = await mkdtemp(join(cache, '.installing-'))
  const agent = agentIn(cache, name)
  try {
    await install(scratch, name)
    await moveIntoPlace(scratch, agent.directory, name)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return agent
}

/** The agent's program where it is installed already. */
export function findInstalledAgent(
  name: PinnedAgent,
  cache = defaultCache(),
): InstalledAgent | undefined {
  const agent = agentIn(cache, name)
  return isWhole(agent.directory, name) ? agent : undefined
}

function agentIn(cache: string, name: PinnedAgent): InstalledAgent {
  const { bin, version } = PINNED[name]
  const directory = join(cache, `${name}-${version}`)
  return { bin: join(directory, 'node_modules', '.bin', bin), directory, version }
}

/** Where what the demo needs is kept: the user's own, and not `/tmp`. */
export function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast')
}

function defaultCache(): string {
  return join(cacheDirectory(), 'agents')
}

/** Removes whatever was installed; null where nothing was. */
export async function dropInstalledAgents(): Promise<string | null> {
  const cache = defaultCache()
  if (!existsSync(cache)) return null
  await rm(cache, { recursive: true, force: true })
  // Its parent was made for it.
  await rmdir(dirname(cache)).catch(() => undefined)
  return cache
}

/** npm writes its record of what it has installed last of all. */
function isWhole(directory: string, name: PinnedAgent): boolean {
  const pinned = PINNED[name]
  const modules = join(directory, 'node_modules')
  if (!existsSync(join(modules, '.package-lock.json'))) return false
  if (!existsSync(join(modules, '.bin', pinned.bin))) return false
  try {
    const text = readFileSync(join(modules, pinned.package, 'package.json'), 'utf8')
    return (JSON.parse(text) as { version?: unknown }).version === pinned.version
  } catch {
    return false
  }
}

async function install(scratch: string, name: PinnedAgent): Promise<void> {
  const { package: packageName, version, bin, trial } = PINNED[name]
  await run('npm', [
    ...['install', '--no-audit', '--no-fund', '--prefix', scratch],
    '--include=optional', // The program itself is an optional package, one per platform.
    `${packageName}@${version}`,
  ])
  // npm forgives a missing optional package; starting the program does not.
  await run(join(scratch, 'node_modules', '.bin', bin), trial)
}

/** Whoever comes second uses what the first one made. */
async function moveIntoPlace(scratch: string, directory: string, name: PinnedAgent): Promise<void> {
  try {
    await rename(scratch, directory)
    return
  } catch (error) {
    if (!existsSync(directory)) throw error
  }
  if (isWhole(directory, name)) return
  // Half an installation that something else left there.
  await rename(directory, `${scratch}-replaced`)
  await rename(scratch, directory)
  await rm(`${scratch}-replaced`, { recursive: true, force: true })
}

async function sweepAbandoned(cache: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith('.installing-')) continue
    const path = join(cache, entry)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true })
  }
}

/** Rejects with the last of what the program said where it does not exit with 0. */
function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    // Of another Node on the PATH some would be refused.
    const PATH = [dirname(process.execPath), process.env.PATH].filter(Boolean).join(delimiter)
    const env = { ...process.env, PATH }
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', error => reject(new Error(`cannot start ${program}`, { cause: error })))
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else
        reject(
          new Error(
            `${[program, ...args.slice(0, 1)].join(' ')} failed (${code ?? signal}): ${said.trim()}`,
          ),
        )
    })
  })
}
