/**
 * The system's own confinement (bubblewrap, Seatbelt), put around the process of an agent that has
 * none. What each mode allows and does not is in `docs/concepts/permissions.md`.
 */
import type { PermissionMode } from '../domain/permissions.ts'
import type { Environment, OwnPlaces } from './agent.ts'

/** What one attempt may do. All paths are absolute. */
export interface Confines {
  readonly mode: Exclude<PermissionMode, 'full'>
  /** Read by all modes, written by `workspace`; its `.git` by none. */
  readonly worktree: string
  /** The common git directory: read and never written, wherever it lies. */
  readonly commonDir: string
  readonly workingDirectory: string
  /** The agent's program: reachable, wherever it lies. */
  readonly program: string
  readonly environment: Environment
  /** A directory of the task's own, for its temporary files; made if it is missing. */
  readonly scratch: string
  /** What the agent needs for itself: seen even where it would be hidden. */
  readonly own: OwnPlaces
  /** `none`: nothing but this machine can be reached. Absent: whatever we can. */
  readonly network?: 'none'
  /** It runs at a person's terminal: it can type nothing there. Absent: it has none. */
  readonly terminal?: true
}

/** What is put around an agent process. */
export interface Enclosure {
  /**
   * What stands in front of the agent's own argv; the program is an absolute path. It passes the
   * environment on, with temporary files and caches led to where they can be written.
   */
  readonly argv: readonly [string, ...string[]]
  /**
   * How many processes the program above starts one within the other, until the last is the agent.
   * 0: it becomes the agent itself. It lives exactly as long as the agent, and ends as that does.
   */
  readonly generations: number
}

export interface Confinement {
  /**
   * Starts it once for nothing, to know that it works. Refuses with `permissions_unavailable`. From
   * inside of a sandbox this cannot be known: then `enclose` says, when the agent is started.
   */
  requireWorking(): Promise<void>
  /** Whether a program at a terminal can be confined: if not, it could type there, and be run outside. */
  readonly holdsTerminals: boolean
  /** Refuses with `permissions_unavailable` too: never is anything left out that does not work. */
  enclose(confines: Confines): Promise<Enclosure>
}
