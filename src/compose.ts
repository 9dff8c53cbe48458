/**
 * The only file that knows every implementation. Each is built when it is first asked for, and
 * loaded then: `status` loads no agent, `logs` loads no git.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Configuration, UserSettings } from './domain/configuration.ts'
import {
  agentEnvironment,
  trustedPath,
  WATCHED_VARIABLE,
  workerEnvironment,
} from './domain/environment.ts'
import { AppError } from './domain/errors.ts'
import type { Sandbox } from './domain/sandbox.ts'
import type { Agent } from './ports/agent.ts'
import type { Applications } from './ports/applications.ts'
import type { Boot } from './ports/boot.ts'
import type { CallerTokens } from './ports/caller-tokens.ts'
import type { Confinement } from './ports/confinement.ts'
import type { Disk } from './ports/disk.ts'
import type { GitHub } from './ports/github.ts'
import type { Hosts } from './ports/hosts.ts'
import type { Locks } from './ports/lock.ts'
import type { MemoryLimits } from './ports/memory-limits.ts'
import type { Channel, Channels } from './ports/notifier.ts'
import type { PluginFiles } from './ports/plugin-files.ts'
import type { ProcessHost } from './ports/process-host.ts'
import type { ProcessTable } from './ports/process-table.ts'
import type { RawOutput } from './ports/raw-output.ts'
import type { RepositoryFiles } from './ports/repository-files.ts'
import type { Store } from './ports/store.ts'
import type { TaskFiles } from './ports/task-files.ts'
import type { Tmux } from './ports/tmux.ts'
import type { FoundCommands, Trust } from './ports/trust.ts'
import type { Upkeep } from './ports/upkeep.ts'
import type { WorkerPresence } from './ports/worker-presence.ts'
import type { Worktrees } from './ports/worktrees.ts'
import { makeWorkerPresence } from './process/worker-presence.ts'
import { findStateDirectory, findUserHome } from './state-directory.ts'
import { prepareHome, requireUsable, STORE_FILE } from './store/home.ts'
import { makeLocks } from './store/locks.ts'
import { openSqliteStore } from './store/sqlite-store.ts'
import { systemClock } from './system-clock.ts'

export type Variables = Readonly<Record<string, string | undefined>>

export interface Composition {
  /** The state directory, absolute. */
  readonly home: string
  /** What starts this program anew: a program and its first argument. */
  readonly command: readonly [string, string]
  store(): Promise<Store>
  files(): Promise<TaskFiles>
  host(): Promise<ProcessHost>
  rawOutput(): Promise<RawOutput>
  disk(): Promise<Disk>
  processes(): Promise<ProcessTable>
  locks(): Promise<Locks>
  upkeep(): Promise<Upkeep>
  presence(): Promise<WorkerPresence>
  boot(): Promise<Boot>
  /** What tells subscribers. */
  channels(): Promise<Channels>
  /** Whether whoever runs this sits before one. */
  hasDesktop(): Promise<boolean>
  callerTokens(): Promise<CallerTokens>
  pluginFiles(): Promise<PluginFiles>
  /** Whether there is a store: whoever only looks makes none. */
  isInUse(): boolean
  /** What lets a client of the MCP server in that comes over HTTP, and where it is kept. */
  mcpToken(): Promise<{ readonly path: string; readonly value: string }>
  /** Around this very process; null: there is none that is known of. */
  sandbox(): Promise<Sandbox | null>
  worktrees(): Promise<Worktrees>
  confinement(): Promise<Confinement>
  memoryLimits(): Promise<MemoryLimits>
  /**
   * What was set beforehand: for the checkout whose top is `root`, or (null) for no repository.
   * Refuses with `bad_configuration`.
   */
  configuration(root: string | null): Promise<Configuration>
  /**
   * Changes what the user has set in their own file: `change` gives what is to be set besides;
   * undefined takes a key away. Refuses with `bad_configuration`.
   */
  changeUserSettings(change: (settings: UserSettings) => Partial<UserSettings>): Promise<void>
  applications(): Promise<Applications>
  /** The commands that the checkout whose top is `root` names. Refuses with `bad_configuration`. */
  repositoryCommands(root: string, configuration: Configuration): Promise<FoundCommands>
  trust(): Promise<Trust>
  /**
   * Removes the state directory, whose store has been ended, or what a removal left that was
   * killed. The names in it that are not ours: they stay, and it with them.
   */
  leaveHome(): Promise<readonly string[]>
  repositoryFiles(): Promise<RepositoryFiles>
  github(): Promise<GitHub>
  /** What `setup` adds to Claude Code, Codex and others. */
  hosts(): Promise<Hosts>
  tmux(): Promise<Tmux>
  /** By absolute path; undefined: it is not on the PATH, less what agents write to. */
  findProgram(name: string): Promise<string | undefined>
  agentNames(): Promise<readonly string[]>
  agent(name: string): Promise<Agent>
  /** Closes what is open. The store may be asked for again. */
  close(): Promise<void>
}

/**
 * glibc gives each thread an arena of its own and keeps what was freed, for the large things that
 * a worker reads as well: with two hundred tasks that is 16 of 98 MB. Another C library does not
 * know these variables.
 */
export const WORKER_ALLOCATOR = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_MMAP_THRESHOLD_: '65536',
} as const

/** `entry` is the program that starts the command line: a worker is started through it. */
export function compose(environment: Variables, entry: string): Composition {
  const home = requireStateDirectory(environment)
  const command = [process.execPath, entry] as const
  // Nothing of ours is ever run from where an agent could have put it.
  const path = trustedPath(environment.PATH ?? '', [home])
  const gitEnvironment = { ...withoutAllocator(agentEnvironment(environment)), PATH: path }
  const toolPath = `/usr/bin:/bin:/usr/local/bin:${path}`
  const store = once(async () => {
    return await openSqliteStore(home, systemClock)
  })
  const closeStore = async () => {
    const opened = await store.forget()?.catch(() => undefined) // Whoever asked was told why.
    await opened?.close()
  }
  const files = once(async () => {
    const { makeTaskFiles } = await import('./store/task-files.ts')
    return makeTaskFiles(home)
  })
  const processes = once(async () => {
    const { loadProcessTable } = await import('./process/process-table.ts')
    return await loadProcessTable()
  })
  const scopes = once(async () => {
    const { makeScopes, noScopes } = await import('./process/scopes.ts')
    if (process.platform !== 'linux') return noScopes
    return makeScopes({ environment, toolPath })
  })
  const host = once(async () => {
    const { makeProcessHost } = await import('./process/host.ts')
    return makeProcessHost(await processes(), { toolPath, scopes: await scopes() })
  })
  const upkeep = once(async () => {
    const { makeUpkeep } = await import('./store/upkeep.ts')
    return makeUpkeep(home, systemClock)
  })
  const locks = once(async () => {
    return makeLocks(join(home, 'locks'), systemClock)
  })
  const trust = once(async () => {
    const { makeTrust } = await import('./store/trust.ts')
    return makeTrust(home, await locks())
  })
  const sandbox = once(async () => {
    const { findSandbox, readFirstProgram } = await import('./process/sandbox.ts')
    const here = (await processes()).place()
    return findSandbox({ environment, home, here, firstProgram: readFirstProgram() })
  })
  const presence = once(async () => {
    prepareHome(home)
    const options = {
      home,
      workerCommand: [...command, 'worker', 'run'],
      environment: {
        ...workerEnvironment(environment),
        PATH: path,
        HOLDFAST_HOME: home,
        ...WORKER_ALLOCATOR,
      },
      isWatched: environment[WATCHED_VARIABLE] !== undefined,
    }
    return makeWorkerPresence(options, await locks(), { host, sandbox })
  })
  const boot = once(async () => {
    const { makeBoot } = await import('./process/boot/boot.ts')
    const isDefaultHome = home === findStateDirectory({ HOME: environment.HOME })
    return makeBoot({ home, isDefaultHome, command, environment: { ...environment, PATH: path } })
  })
  const channels = once(async (): Promise<Channels> => {
    const own = { ...workerEnvironment(environment), PATH: path }
    return {
      file: loadedLate(async () => (await import('./notify/file.ts')).makeFileChannel()),
      command: loadedLate(async () =>
        (await import('./notify/command.ts')).makeCommandChannel(own),
      ),
      webhook: loadedLate(async () =>
        (await import('./notify/webhook.ts')).makeWebhookChannel(systemClock),
      ),
      desktop: loadedLate(async () =>
        (await import('./notify/desktop.ts')).makeDesktopChannel(own),
      ),
      openclaw: loadedLate(async () =>
        (await import('./notify/openclaw.ts')).makeOpenclawChannel(own),
      ),
      claude: loadedLate(async () => (await import('./notify/claude.ts')).makeClaudeChannel()),
    }
  })
  const worktrees = once(async () => {
    const { makeWorktrees } = await import('./worktree/worktrees.ts')
    return makeWorktrees({
      locks: await locks(),
      clock: systemClock,
      processes: await processes(),
      environment: gitEnvironment,
      agentsRoot: join(home, 'worktrees'),
    })
  })
  const applications = once(async () => {
    const { makeApplications } = await import('./worktree/applications.ts')
    return makeApplications({
      locks: await locks(),
      clock: systemClock,
      environment: gitEnvironment,
      directoryOf: (await files()).directory,
    })
  })
  const confinement = once(async () => {
    const { loadConfinement } = await import('./process/confinement/confinement.ts')
    return await loadConfinement({
      home,
      toolPath,
      isSandboxed: async () => (await sandbox()) !== null,
    })
  })
  const findOnPath = async () => {
    const { findProgram } = await import('./agents/find-program.ts')
    return (name: string) => findProgram(name, path)
  }
  return {
    home,
    command,
    store,
    files,
    host,
    async disk() {
      return (await import('./store/disk.ts')).makeDisk(home)
    },
    async rawOutput() {
      return (await import('./process/raw-output.ts')).makeRawOutput()
    },
    processes,
    locks,
    upkeep,
    presence,
    boot,
    channels,
    async hasDesktop() {
      const { hasDesktop } = await import('./notify/desktop.ts')
      return hasDesktop(environment, process.platform)
    },
    async callerTokens() {
      return (await import('./store/caller-tokens.ts')).makeCallerTokens(home)
    },
    async pluginFiles() {
      return (await import('./store/plugin-files.ts')).makePluginFiles(home)
    },
    isInUse: () => existsSync(join(home, STORE_FILE)),
    async mcpToken() {
      const { keepMcpToken } = await import('./store/mcp-token.ts')
      prepareHome(home)
      return await keepMcpToken(home, await locks())
    },
    sandbox,
    worktrees,
    applications,
    confinement,
    memoryLimits: scopes,
    async configuration(root) {
      // What the user has set there is believed: it may not be anybody's.
      requireUsable(home)
      const { loadConfiguration } = await import('./configuration/load.ts')
      return await loadConfiguration({ root, home, environment, agents: promptAgentNames })
    },
    async changeUserSettings(change) {
      prepareHome(home)
      const { changeUserFile } = await import('./configuration/user-file.ts')
      const agents = await promptAgentNames()
      await (await locks()).withLock('user-settings', SETTINGS_LOCK_LIMIT_MS, async () => {
        changeUserFile(home, agents, change)
      })
    },
    async repositoryCommands(root, { repository }) {
      const { findCommands } = await import('./configuration/repository-commands.ts')
      return await findCommands(root, repository)
    },
    trust,
    async leaveHome() {
      const { leaveHome } = await import('./store/leave-home.ts')
      // SQLite removes files by name when it closes one: that may not be a new one's.
      await closeStore()
      return leaveHome(home)
    },
    async github() {
      const { makeGitHub } = await import('./process/gh.ts')
      return makeGitHub({ ...environment, PATH: path })
    },
    async hosts() {
      const { realpathSync, statSync } = await import('node:fs')
      const { makeHosts } = await import('./hosts/hosts.ts')
      const { makeAdditionRecord } = await import('./store/addition-record.ts')
      return makeHosts({
        record: makeAdditionRecord(home),
        packageRoot: dirname(dirname(realpathSync(entry))),
        environment: gitEnvironment,
        userHome: findUserHome(environment) ?? '/',
        locks: await locks(),
        prepare: () => prepareHome(home),
        findProgram: await findOnPath(),
        isDirectory: directory => {
          try {
            return statSync(directory).isDirectory()
          } catch {
            // Not there, or not for this user to look at.
            return false
          }
        },
      })
    },
    async tmux() {
      const { makeTmux } = await import('./process/tmux.ts')
      return makeTmux({ environment: gitEnvironment, tmux: (await findOnPath())('tmux') })
    },
    async findProgram(name) {
      return (await findOnPath())(name)
    },
    async repositoryFiles() {
      return (await import('./configuration/repository-files.ts')).repositoryFiles
    },
    async agentNames() {
      const { agents } = await import('./agents/index.ts')
      return Object.keys(agents)
    },
    async agent(name) {
      const { agents } = await import('./agents/index.ts')
      const load = Object.entries(agents).find(([known]) => known === name)?.[1]
      if (load === undefined) {
        throw new AppError('bad_usage', `there is no agent "${name}"`, {
          hint: `agents: ${Object.keys(agents).join(', ')}`,
        })
      }
      return await load()
    },
    close: closeStore,
  }
}

/** A file of some lines is written under it. */
const SETTINGS_LOCK_LIMIT_MS = 10_000

/** Those that take a prompt. */
async function promptAgentNames(): Promise<readonly string[]> {
  return Object.keys((await import('./agents/index.ts')).promptAgents)
}

/** A worker of which nobody is told loads none. */
function loadedLate<Kind extends keyof Channels>(
  load: () => Promise<Channel<Kind>>,
): Channel<Kind> {
  const channel = once(load)
  return {
    async send(...given) {
      await (await channel()).send(...given)
    },
  }
}

function requireStateDirectory(environment: Variables): string {
  const found = findStateDirectory(environment)
  if (found !== undefined) return found
  throw new AppError('store_unwritable', 'there is no home directory to keep the store in', {
    hint: 'set HOLDFAST_HOME to an absolute path',
  })
}

/** Makes a thing at the first call, and hands the same out until it is forgotten. */
function once<T>(
  make: () => Promise<T>,
): (() => Promise<T>) & { forget(): Promise<T> | undefined } {
  let made: Promise<T> | undefined
  const get = () => {
    made ??= make()
    return made
  }
  const forget = () => {
    const before = made
    made = undefined
    return before
  }
  return Object.assign(get, { forget })
}

/** Git is not the worker, and has allocation habits of its own. */
function withoutAllocator(environment: Record<string, string>): Record<string, string> {
  const names = Object.keys(WORKER_ALLOCATOR)
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)))
}
