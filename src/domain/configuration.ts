/**
 * What was set beforehand, for where no flag says otherwise, and which of it holds: the environment
 * over the repository's file over the user's own. Pure.
 */
import { type PermissionMode, stricterMode } from './permissions.ts'
import { DEFAULT_PORTS, type PortRange } from './port-blocks.ts'
import { DEFAULT_RETENTION, type RetentionPolicy } from './retention.ts'
import {
  DEFAULT_LIMITS_MS,
  type DirectoryOrder,
  type DirectoryWay,
  type NamedRole,
} from './set-up.ts'
import { DEFAULT_POOL, type PoolPolicy } from './spare.ts'

interface SomeBounds {
  readonly maxBytes?: number | undefined
  readonly maxFiles?: number | undefined
}

/** What one place sets. Absent: nothing is said there. */
export interface Settings {
  readonly agent?: string | undefined
  readonly model?: string | undefined
  readonly effort?: string | undefined
  readonly permissions?: PermissionMode | undefined
  readonly capture?: SomeBounds | undefined
  readonly include?: SomeBounds | undefined
  /** How long the repository's commands may take. */
  readonly setupSeconds?: number | undefined
  readonly cleanupSeconds?: number | undefined
  readonly verifySeconds?: number | undefined
}

/** Whether an agent keeps its sessions in the user's home of it, or in one for each worktree. */
export type AgentHomes = 'shared' | 'worktree'

/** A command, a script's path, or (false) nothing, whatever else the repository has. */
export type SetUpSetting = false | string | readonly string[]

export interface RepositorySettings extends Settings {
  readonly setup?: SetUpSetting | undefined
  readonly cleanup?: SetUpSetting | undefined
  /** A string is a command, as `--verify` takes it. */
  readonly verify?: SetUpSetting | undefined
  /** By path. */
  readonly directories?: Readonly<Record<string, DirectoryWay>> | undefined
}

/** The user's own settings. */
export interface UserSettings extends Settings {
  readonly slots?: number | undefined
  /** `one-shot`: no agent is talked to while it works that need not be. */
  readonly talk?: 'dialogue' | 'one-shot' | undefined
  /** How long an agent may be silent and idle, in seconds. */
  readonly stallSeconds?: number | undefined
  /** How many managed worktrees stay, the newest. */
  readonly keepWorktrees?: number | undefined
  /** How many worktrees are made in advance for a repository in use. */
  readonly spareWorktrees?: number | undefined
  /** Those hold build output of worktrees that were put away. */
  readonly spareBuildOutput?: boolean | undefined
  /** How often the files of a running task are snapshotted, in seconds; 0: never. */
  readonly snapshotSeconds?: number | undefined
  /** How long a managed worktree stays in which nothing happens, in days. */
  readonly idleDays?: number | undefined
  /** How much of the disk may be taken, in bytes. */
  readonly diskBytes?: number | undefined
  /** How much memory the processes of a try may use together, in bytes. */
  readonly memoryBytes?: number | undefined
  /** `worktree`: each worktree has a home of Codex's own. */
  readonly codexHome?: AgentHomes | undefined
  /** `own`: clean-ups run with the user's rights, whatever the agents before them might do. */
  readonly cleanupRights?: 'agents' | 'own' | undefined
  /** A program and its arguments. */
  readonly editor?: readonly string[] | undefined
  /** Who is told of every task, as `--notify` names them. */
  readonly notify?: readonly string[] | undefined
  /** A private file with the key that signs webhooks. */
  readonly webhookKeyFile?: string | undefined
  /** Webhooks may go to loopback and private addresses. */
  readonly webhookPrivate?: boolean | undefined
  /** What an MCP client asks for may be full permissions. */
  readonly mcpFullPermissions?: boolean | undefined
  /** Where a session of Claude Code stops only after a review: everywhere, or in these checkouts. */
  readonly stopReview?: boolean | readonly string[] | undefined
  /** How often in a row such a review may keep a session from stopping. */
  readonly stopReviewRounds?: number | undefined
  /** Where the ports of worktrees are taken from. */
  readonly ports?:
    | { readonly first?: number | undefined; readonly blocks?: number | undefined }
    | undefined
}

/** By place; what a place does not set is absent in it. */
export interface Configuration {
  readonly environment: UserSettings
  readonly repository: RepositorySettings
  readonly user: UserSettings
}

/** Bounds on what `run` carries along, in all. */
export interface Bounds {
  readonly maxBytes: number
  readonly maxFiles: number
}

export const defaultBounds = {
  /** Larger changes are more likely a forgotten ignore rule than work. */
  capture: { maxBytes: 500_000_000, maxFiles: 20_000 },
  /** Meant for settings and keys: a directory of packages is made anew by set-up. */
  include: { maxBytes: 50_000_000, maxFiles: 2_000 },
  /** Each of those that are named by `directories`. */
  directories: { maxBytes: 5_000_000_000, maxFiles: 300_000 },
} as const satisfies Record<string, Bounds>

const places = ({ environment, repository, user }: Configuration): readonly Settings[] => [
  environment,
  repository,
  user,
]

export function configuredAgent(configuration: Configuration): string | undefined {
  return places(configuration).find(({ agent }) => agent !== undefined)?.agent
}

/**
 * A place that names an agent sets model and effort for that agent: another one would not know
 * them. A place that names none sets them for all.
 */
export function configuredChoice(
  configuration: Configuration,
  key: 'model' | 'effort',
  agent: string,
): string | undefined {
  const fits = (place: Settings) => place.agent === undefined || place.agent === agent
  return places(configuration).find(place => place[key] !== undefined && fits(place))?.[key]
}

/** Whoever wrote a repository's file may narrow what the user allows, and never widen it. */
export function configuredPermissions({
  environment,
  repository,
  user,
}: Configuration): PermissionMode | undefined {
  if (environment.permissions !== undefined) return environment.permissions
  if (repository.permissions === undefined) return user.permissions
  if (user.permissions === undefined) return repository.permissions
  return stricterMode(repository.permissions, user.permissions)
}

export function configuredDirectories({ repository }: Configuration): readonly DirectoryOrder[] {
  return Object.entries(repository.directories ?? {}).flatMap(([path, way]) =>
    way === 'skip' ? [] : [{ path, way }],
  )
}

/** Of uncommitted changes (`capture`), or of ignored files (`include`). */
export function configuredBounds(configuration: Configuration, of: 'capture' | 'include'): Bounds {
  const set = (key: keyof Bounds) =>
    places(configuration).find(place => place[of]?.[key] !== undefined)?.[of]?.[key]
  return {
    maxBytes: set('maxBytes') ?? defaultBounds[of].maxBytes,
    maxFiles: set('maxFiles') ?? defaultBounds[of].maxFiles,
  }
}

/** In milliseconds. */
export function configuredLimits(configuration: Configuration): Record<NamedRole, number> {
  const set = (key: 'setupSeconds' | 'cleanupSeconds' | 'verifySeconds', role: NamedRole) => {
    const seconds = places(configuration).find(place => place[key] !== undefined)?.[key]
    return seconds === undefined ? DEFAULT_LIMITS_MS[role] : seconds * 1_000
  }
  return {
    'set-up': set('setupSeconds', 'set-up'),
    'clean-up': set('cleanupSeconds', 'clean-up'),
    verify: set('verifySeconds', 'verify'),
  }
}

/** In milliseconds. */
export function configuredStallMs({ environment, user }: Configuration): number | undefined {
  const seconds = environment.stallSeconds ?? user.stallSeconds
  return seconds === undefined ? undefined : seconds * 1_000
}

/** In milliseconds; 0: never. */
export function configuredSnapshotMs({ environment, user }: Configuration): number | undefined {
  const seconds = environment.snapshotSeconds ?? user.snapshotSeconds
  return seconds === undefined ? undefined : seconds * 1_000
}
const DAY_MS = 86_400_000

export function configuredRetention({ environment, user }: Configuration): RetentionPolicy {
  const keep = environment.keepWorktrees ?? user.keepWorktrees ?? DEFAULT_RETENTION.keep
  const days = environment.idleDays ?? user.idleDays
  return { keep, maxIdleMs: days === undefined ? DEFAULT_RETENTION.maxIdleMs : days * DAY_MS }
}

export function configuredPool({ environment, user }: Configuration): PoolPolicy {
  const size = environment.spareWorktrees ?? user.spareWorktrees ?? DEFAULT_POOL.size
  return { ...DEFAULT_POOL, size, keepsOutput: user.spareBuildOutput ?? false }
}

/** Null: nothing is set. */
export function configuredDiskBytes({ environment, user }: Configuration): number | null {
  return environment.diskBytes ?? user.diskBytes ?? null
}

/** Null: no limit. */
export function configuredMemoryBytes({ environment, user }: Configuration): number | null {
  return environment.memoryBytes ?? user.memoryBytes ?? null
}

export function configuredCodexHome({ environment, user }: Configuration): AgentHomes {
  return environment.codexHome ?? user.codexHome ?? 'shared'
}

export function configuredPorts({ user }: Configuration): PortRange {
  return {
    first: user.ports?.first ?? DEFAULT_PORTS.first,
    blocks: user.ports?.blocks ?? DEFAULT_PORTS.blocks,
  }
}

export function configuredOneShot({ environment, user }: Configuration): boolean {
  return (environment.talk ?? user.talk) === 'one-shot'
}

export function configuredSlots({ environment, user }: Configuration): number | undefined {
  return environment.slots ?? user.slots
}

/** Each round costs two turns: one of the reviewer, one of the session. */
export const DEFAULT_STOP_REVIEW_ROUNDS = 2
/** After eight in a row Claude Code itself goes over them. */
export const MOST_STOP_REVIEW_ROUNDS = 7

export function configuredStopReviewRounds({ user }: Configuration): number {
  return user.stopReviewRounds ?? DEFAULT_STOP_REVIEW_ROUNDS
}
