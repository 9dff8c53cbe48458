/** What a task's new worktree is to be readied with; nothing is taken yet. */
import type { Bounds } from '../domain/configuration.ts'
import type { Permissions } from '../domain/permissions.ts'
import type { IncludedFiles, SetUpCommand } from '../domain/set-up.ts'
import type { FoundSetUp, Trust } from '../ports/trust.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

export interface SetUpPlan {
  /** Takes the ignored files that come along into a private directory. */
  readonly takeIncluded: (directory: string) => Promise<IncludedFiles | null>
  readonly command: SetUpCommand | null
  /** What is in the files that a trusted command names. */
  readonly scripts: readonly Uint8Array[]
}

/** What the checkout says of set-up. */
export interface SetUpWish {
  readonly command: FoundSetUp | undefined
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
  { command, bounds }: SetUpWish,
  rights: SetUpRights,
  { worktrees, trust }: { readonly worktrees: Worktrees; readonly trust: Trust },
): SetUpPlan {
  return {
    takeIncluded: directory => worktrees.takeIncluded(checkout, directory, bounds),
    ...planCommand(checkout.place.commonDir, command, rights, trust),
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
  repository: string,
  command: FoundSetUp | undefined,
  rights: SetUpRights,
  trust: Trust,
): Pick<SetUpPlan, 'command' | 'scripts'> {
  if (command === undefined) return { command: null, scripts: [] }
  const { argv, scripts, digest } = command
  const trusted = mayRun(rights) && trust.isTrusted(repository, digest)
  return {
    command: { argv, scripts: scripts.map(({ path }) => path), digest, trusted },
    scripts: trusted ? scripts.map(({ bytes }) => bytes) : [],
  }
}
