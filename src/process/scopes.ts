/**
 * Scopes: control groups of an attempt's own, made by the systemd user manager. What is started in
 * one stays nobody's child: `systemd-run --scope` moves itself there, and becomes what it is to
 * start, with the same pid. A scope has the memory of its processes limited, counts whom the kernel
 * killed for want of it, and is gone with its last process.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import type { Fence, TaskId } from '../domain/ids.ts'
import { LEAST_MEMORY_BYTES } from '../domain/memory.ts'
import type { MemoryLimits } from '../ports/memory-limits.ts'
import { findProgram } from './own-session.ts'

/** Where the kernel shows control groups. */
export interface ControlGroups {
  /** The mount of the unified hierarchy. */
  readonly root: string
  /** What says in which of them a process is that reads it. */
  readonly own: string
}

export const CONTROL_GROUPS: ControlGroups = { root: '/sys/fs/cgroup', own: '/proc/self/cgroup' }

export interface ScopeOrder {
  readonly task: TaskId
  readonly fence: Fence
  readonly memoryBytes: number | null
  readonly environment: Readonly<Record<string, string>>
}

export interface Scope {
  /** Without its ending, which is `.scope`. */
  readonly unit: string
  readonly memoryBytes: number | null
  /** What stands in front of the argv that is to run in it; passes the environment on. */
  readonly argv: readonly string[]
}

export interface Scopes extends MemoryLimits {
  /**
   * Null: there is none to be had, or it would end sooner than the attempt. Rejects with
   * `launch_failed` where a limit was asked for, and would not hold.
   */
  find(order: ScopeOrder): Promise<Scope | null>
  /** One could not be made: from now on only a limit is worth a try. */
  distrust(): void
}

export interface ScopeOptions {
  /** Of the worker, or of the command that asks. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where `systemd-run` and `env` are found, in the form of PATH. */
  readonly toolPath: string
  readonly groups?: ControlGroups
  /** Holds a file for each user who lingers. */
  readonly lingering?: string
}

/** Where there are none. */
export const noScopes: Scopes = {
  async find({ memoryBytes }) {
    if (memoryBytes !== null) throw notHere('launch_failed', NO_SYSTEMD)
    return null
  },
  async requireWorking() {
    throw notHere('refused_in_state', NO_SYSTEMD)
  },
  distrust() {
    // There is nothing to trust.
  },
}

const NO_SYSTEMD = 'no systemd user manager runs here'

interface Manager {
  readonly systemdRun: string
  readonly env: string
  readonly runtimeDirectory: string
  readonly version: number
  /** Null: limits of memory hold. */
  readonly whyNoLimits: string | null
}

export function makeScopes(options: ScopeOptions): Scopes {
  const groups = options.groups ?? CONTROL_GROUPS
  let known: Promise<Manager | { readonly why: string }> | undefined
  let isTrusted = true
  const look = () => {
    known ??= findManager(options, groups)
    return known
  }
  const requireLimits = async (code: 'launch_failed' | 'refused_in_state') => {
    const isOld = known !== undefined
    let found = await look()
    if (isOld && whyNoLimits(found) !== null) {
      // It may have come up since.
      known = undefined
      found = await look()
    }
    const why = whyNoLimits(found)
    if ('why' in found || why !== null) throw notHere(code, why ?? NO_SYSTEMD)
    return found
  }
  return {
    async requireWorking() {
      await requireLimits('refused_in_state')
    },
    async find(order) {
      if (order.memoryBytes !== null) return planScope(order, await requireLimits('launch_failed'))
      if (!isTrusted || !outlivesLogins(options, groups)) return null
      const found = await look()
      return 'why' in found ? null : planScope(order, found)
    },
    distrust() {
      isTrusted = false
    },
  }
}

const whyNoLimits = (found: Manager | { readonly why: string }) =>
  'why' in found ? found.why : found.whyNoLimits

function notHere(code: 'launch_failed' | 'refused_in_state', why: string): AppError {
  return new AppError(code, `the memory of a task cannot be limited: ${why}`, {
    hint: 'log in where a systemd user manager runs (control groups v2), or do without: --memory none',
  })
}

/** It takes some 50 ms; a busy machine may hold it up, and a manager that does not answer is none. */
const TRIAL_LIMIT_MS = 30_000

async function findManager(
  { environment, toolPath }: ScopeOptions,
  { root, own }: ControlGroups,
): Promise<Manager | { readonly why: string }> {
  const runtimeDirectory = environment.XDG_RUNTIME_DIR || `/run/user/${userInfo().uid}`
  // Most machines without one are known by this single look.
  if (!existsSync(join(runtimeDirectory, 'systemd', 'private'))) return { why: NO_SYSTEMD }
  const systemdRun = findProgram('systemd-run', toolPath)
  const env = findProgram('env', toolPath)
  if (systemdRun === undefined || env === undefined) return { why: 'there is no systemd-run' }
  const said = await run(systemdRun, ['--version'], {})
  const version = Number(/^systemd (\d+)/.exec(said.stdout)?.[1] ?? 0)
  const manager = { systemdRun, env, runtimeDirectory, version, whyNoLimits: null }
  const unit = `holdfast-trial-${randomBytes(9).toString('hex')}`
  const words = [
    ...scopeWords({ unit, about: 'a trial', memoryBytes: LEAST_MEMORY_BYTES }, version),
  ]
  const trial = [...words, '--', '/bin/sh', '-c', `${showLimit({ root, own })}; exit 0`]
  const tried = await run(systemdRun, trial, { XDG_RUNTIME_DIR: runtimeDirectory })
  if (tried.problem !== null) return { why: `systemd-run: ${tried.problem}` }
  if (isHeld(tried.stdout.trim(), LEAST_MEMORY_BYTES)) return manager
  return {
    ...manager,
    whyNoLimits: 'the systemd user manager has no say in it (memory controller)',
  }
}

/** Prints the limit of the control group of the shell that runs it. */
export function showLimit({ root, own }: ControlGroups): string {
  return showFile(own, root, 'memory.max')
}

/** `list`: a file that says in which control group one is. Sets variables. */
export function showFile(list: string, root: string, name: string): string {
  return `while IFS=: read -r n c group; do [ "$n" != 0 ] || cat "${root}$group/${name}"; done <"${list}"`
}

/** The kernel counts in pages, and rounds down. */
export function isHeld(shown: string, bytes: number): boolean {
  return /^\d+$/.test(shown) && Number(shown) <= bytes
}

function planScope(
  { task, fence, memoryBytes, environment }: ScopeOrder,
  { systemdRun, env, runtimeDirectory, version }: Manager,
): Scope {
  const unit = `holdfast-${task}-${fence}`
  const words = scopeWords({ unit, about: `task ${task}, try ${fence}`, memoryBytes }, version)
  // What systemd-run needs, and what it adds, is not the agent's.
  const changed = ['XDG_RUNTIME_DIR', 'INVOCATION_ID']
  const own = changed.filter(name => environment[name] !== undefined)
  const added = changed.filter(name => environment[name] === undefined)
  const restored = [
    ...added.flatMap(name => ['-u', name]),
    ...own.map(name => `${name}=${environment[name]}`),
  ]
  const argv = [env, `XDG_RUNTIME_DIR=${runtimeDirectory}`, systemdRun, ...words, '--']
  return { unit, memoryBytes, argv: [...argv, env, ...restored] }
}

/** From then on a scope is ended as a whole when one of its processes is killed, unless told not to. */
const OOM_POLICY_SINCE = 253

/** The description would else be the whole command, and stand in the journal. */
function scopeWords(
  scope: { readonly unit: string; readonly about: string; readonly memoryBytes: number | null },
  version: number,
): readonly string[] {
  const properties = [
    ...(scope.memoryBytes === null ? [] : [`MemoryMax=${scope.memoryBytes}`, 'MemorySwapMax=0']),
    ...(version >= OOM_POLICY_SINCE ? ['OOMPolicy=continue'] : []),
  ]
  return [
    ...['--user', '--scope', '--quiet', '--collect', '--no-ask-password'],
    ...[`--unit=${scope.unit}`, `--description=Holdfast: ${scope.about}`],
    ...properties.flatMap(property => ['-p', property]),
  ]
}

/**
 * Without lingering the user manager ends, with all its scopes, at the user's last logout; a worker
 * outside of it would not, nor its agents.
 */
function outlivesLogins(
  { lingering = '/var/lib/systemd/linger' }: ScopeOptions,
  { own }: ControlGroups,
): boolean {
  const { uid, username } = userInfo()
  if (existsSync(join(lingering, username))) return true
  try {
    return readFileSync(own, 'utf8').includes(`/user@${uid}.service/`)
  } catch {
    return false // it cannot be told where we are
  }
}

function run(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly problem: string | null }> {
  const options = { timeout: TRIAL_LIMIT_MS, killSignal: 'SIGKILL', cwd: '/', env } as const
  return new Promise(resolve => {
    execFile(program, [...words], options, (error, stdout, stderr) => {
      resolve({ stdout, problem: error === null ? null : stderr.trim() || error.message })
    }).stdin?.end()
  })
}
