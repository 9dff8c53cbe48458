/**
 * An agent: an adapter for one command-line agent. Three files in a folder of its own: `wire.ts`
 * (schemas of what it says), `translate.ts` (pure: line → events), `agent.ts` (this interface).
 */
import type { AgentEvent } from '../domain/agent-events.ts'
import type { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import type { AgentExit, AttemptOutcome, Usage } from '../domain/outcome.ts'
import type { PermissionMode, Permissions } from '../domain/permissions.ts'

export type Environment = Readonly<Record<string, string>>

/** What can be said of an agent without running it. */
export interface AgentCapabilities {
  /** After a crash: its own session goes on, the whole is run again, or neither. */
  readonly continues: 'session' | 'rerun' | 'no'
  /** The signal on which it ends itself and its tools in order; null: none does. */
  readonly gracefulSignal: 'SIGINT' | 'SIGTERM' | null
  /** It is given a prompt; `command` is given an argv instead. */
  readonly takesPrompt: boolean
  /** The most characters that a prompt may have; null: no limit is known. */
  readonly promptLimit: number | null
}

/** An agent's program as found on a caller's PATH. */
export interface AgentInstallation {
  /** What is run: an absolute path; the native binary where there is one behind a shim. */
  readonly program: string
  /** What stands in front of its arguments, for a shim without a native binary. */
  readonly leadingArguments: readonly string[]
  readonly version: string | null
  /** Added to the environment, as the agent's own shim would. */
  readonly environment: Environment
}

/** What can be seen of an agent on this machine. */
export interface AgentSight {
  /** Null: it is not installed, or (`command`) there is nothing to install. */
  readonly installation: AgentInstallation | null
  readonly login: 'present' | 'missing' | 'unknown' | 'not needed'
  /** Why it cannot be used as it is: `agent_missing`, `agent_too_old` or `agent_logged_out`. */
  readonly trouble: AppError | null
}

export interface LaunchRequest {
  readonly installation: AgentInstallation
  readonly mode:
    | { readonly kind: 'fresh' }
    | { readonly kind: 'resume'; readonly session: SessionId; readonly why: string }
  /** The prompt as the caller wrote it, byte for byte. */
  readonly prompt: Uint8Array
  readonly argv: readonly string[]
  readonly model: string | null
  readonly effort: string | null
  readonly permissions: Permissions
  readonly worktree: string
  readonly workingDirectory: string
  readonly environment: Environment
}

/** How to start it, as the agent wants it. */
export interface AgentLaunch {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Environment
  readonly stdin: Uint8Array
}

/**
 * What has been understood of an attempt's output so far. It is kept in the store beside the
 * offset that it belongs to, so it is plain JSON; the agent may keep more in `own`.
 */
export interface Translation {
  readonly session: SessionId | null
  readonly answer: string | null
  /** Of the session up to now, where the agent counts so; else of this attempt. */
  readonly usage: Usage | null
  /** The last terminal event; null while the turn goes on. */
  readonly turn: { readonly ok: true } | { readonly ok: false; readonly message: string } | null
}

export interface Translator {
  readonly initial: Translation
  /** Pure. `line` is one line of stdout without its end; bytes that are no UTF-8 are replaced. */
  translate(
    state: Translation,
    line: string,
  ): { readonly state: Translation; readonly events: readonly AgentEvent[] }
}

export interface Agent {
  readonly name: string
  readonly capabilities: AgentCapabilities
  readonly translator: Translator
  /**
   * Finds the program. Refuses with `agent_missing`, `agent_too_old` or `agent_logged_out`.
   * Takes milliseconds: what needs a start of the agent is done only where a cheap look is in doubt.
   */
  findInstallation(
    environment: Environment,
    argv: readonly string[],
    directory: string,
  ): Promise<AgentInstallation>
  /** The same for people who only look: it refuses nothing, and asks no more than a version. */
  look(environment: Environment): Promise<AgentSight>
  /**
   * What the asked mode comes to, before anything is started: a stricter mode in the user's own
   * configuration of the agent wins. Refuses with `permissions_unavailable`. Absent: the agent has
   * no confinement of its own, and the system's is put around it.
   */
  settlePermissions?(asked: PermissionMode, environment: Environment): Promise<Permissions>
  planLaunch(request: LaunchRequest): AgentLaunch
  /** Pure. `interrupted` means that the agent died without finishing its turn. */
  judge(translation: Translation, exit: AgentExit, stderr: string): AttemptOutcome
}
