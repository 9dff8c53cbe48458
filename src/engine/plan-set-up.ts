/** What a task's new worktree is to be readied with; nothing is taken yet. */
import type { Bounds } from '../domain/configuration.ts'
import type { Permissions } from '../domain/permissions.ts'
import type {
  CommandRole,
  DirectoryOrder,
  IncludedFiles,
  NamedRole,
  SetUpCommand,
} from '../domain/set-up.ts'
import type { FoundCommand, FoundCommands, Trust } from '../ports/trust.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

export interface SetUpPlan {
  /** Takes the ignored files that come along into a private directory. */
  readonly takeIncluded: (directory: string) => Promise<IncludedFiles | null>
  /** Null: there is none. */
  readonly commands: Readonly<Record<CommandRole, PlannedCommand | null>>
  /** What is brought from the checkout when the worktree is made. */
  readonly directories: readonly DirectoryOrder[]
}

interface PlannedCommand {
  readonly command: SetUpCommand
  /** What is in the files that it names; none, where it is not trusted. */
  readonly scripts: readonly Uint8Array[]
}

/** What the checkout says of its commands, and of what comes along. */
export interface SetUpWish {
  readonly commands: FoundCommands
  /** How long each may take, in milliseconds. */
  readonly limits: Readonly<Record<NamedRole, number>>
  readonly directories: readonly DirectoryOrder[]
  /** Of ignored files that come along. */
  readonly bounds: Bounds
}

/** For whom it is to run. */
export interface SetUpRights {
  readonly permissions: Permissions
  /** An agent handed the task in: it wrote what the command finds, whatever the command itself is. */
  readonly delegated: boolean
}

export function planSetUp(
  checkout: Checkout,
  { commands, limits, directories, bounds }: SetUpWish,
  rights: SetUpRights,
  { worktrees, trust }: { readonly worktrees: Worktrees; readonly trust: Trust },
): SetUpPlan {
  const repository = checkout.place.commonDir
  const plan = (role: CommandRole, mayRun: boolean) => {
    const found = commands[role]
    if (found === undefined) return null
    return planCommand(found, limits[role], mayRun && trust.isTrusted(repository, found.digest))
  }
  return {
    takeIncluded: directory => worktrees.takeIncluded(checkout, directory, bounds),
    // What a clean-up may is settled when it runs: agents will have been at work before it.
    commands: { 'set-up': plan('set-up', mayRun(rights)), 'clean-up': plan('clean-up', true) },
    directories,
  }
}

/**
 * A set-up has its user's own rights, but for what the system confines. An agent that has less could
 * have it do more: `npm ci` runs what the `package.json` of the moment says.
 */
export function mayRun({ permissions, delegated }: SetUpRights): boolean {
  return !delegated || permissions.enforcedBy === 'system' || permissions.effective === 'full'
}

/** Trust is looked up once, now: what the user says later is for later tasks. */
function planCommand(
  { argv, scripts, digest }: FoundCommand,
  limitMs: number,
  trusted: boolean,
): PlannedCommand {
  return {
    command: { argv, scripts: scripts.map(({ path }) => path), digest, trusted, limitMs },
    scripts: trusted ? scripts.map(({ bytes }) => bytes) : [],
  }
}
