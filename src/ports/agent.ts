/**
 * An agent: an adapter for one command-line agent. Three files in a folder of its own: `wire.ts`
 * (schemas of what it says), `translate.ts` (pure: line → events), `agent.ts` (this interface).
 */
import type { AgentEvent } from '../domain/agent-events.ts'
import type { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import type { Message } from '../domain/message.ts'
import type { AgentExit, AttemptOutcome, Usage } from '../domain/outcome.ts'
import type { PermissionMode, Permissions } from '../domain/permissions.ts'
import type { Question } from '../domain/question.ts'
import type { Idling } from '../domain/stall.ts'

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
  /** Its usage counts over the whole session, or anew in each attempt. */
  readonly usageCounts: 'session' | 'attempt'
  /** It says what its work costs. */
  readonly saysCost: boolean
  /** Its final answer can be held to a JSON Schema. Absent: it cannot. */
  readonly answersBySchema?: true
  /** It can be talked to while it works, or be given its prompt alone. Absent: as `dialogue` says. */
  readonly oneShot?: true
  /** What its processes use while they only wait. Absent: next to nothing (`IDLING`). */
  readonly idling?: Idling
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
    | {
        readonly kind: 'fresh'
        /** A random UUID, for an agent whose session can be named in advance. */
        readonly sessionToBe: string
      }
    | {
        readonly kind: 'resume'
        readonly session: SessionId
        /** What stopped it; null: nothing did, it had come to its end. */
        readonly why: string | null
        /** The prompt is a new one in it. Absent: it is at work on that already. */
        readonly saysPrompt?: true
      }
  /** The prompt as the caller wrote it, byte for byte. */
  readonly prompt: Uint8Array
  /** What another agent did of it before this one took over; null: there was none. */
  readonly handOver: string | null
  readonly argv: readonly string[]
  readonly model: string | null
  readonly effort: string | null
  readonly permissions: Permissions
  /** It is to ask before it edits or runs anything; only an agent with a dialogue can. */
  readonly asks: boolean
  /** What was said to the task since, in its order: it is told with the rest. Absent: nothing. */
  readonly messages?: readonly string[]
  /** It is given its prompt alone, though it could be talked to (`AgentCapabilities.oneShot`). */
  readonly oneShot?: true
  /** A JSON Schema for its final answer, and a file with that. Absent: it answers as it likes. */
  readonly outputSchema?: { readonly json: string; readonly file: string }
  readonly worktree: string
  readonly workingDirectory: string
  readonly environment: Environment
}

/** What its own user interface is started with. */
export interface InteractiveRequest
  extends Pick<
    LaunchRequest,
    | 'installation'
    | 'model'
    | 'effort'
    | 'permissions'
    | 'worktree'
    | 'workingDirectory'
    | 'environment'
  > {
  /** Null: it begins a new one. */
  readonly session: SessionId | null
  /** A random UUID, for an agent whose new session can be named in advance. */
  readonly sessionToBe: string
}

/** The agent's own user interface, for a person at a terminal. */
export interface Interactive {
  /** Its flags hold it to what is asked. If not, the system's confinement is put around it, where that can be. */
  readonly holdsPermissions: boolean
  planLaunch(request: InteractiveRequest): Pick<AgentLaunch, 'argv' | 'environment' | 'own'>
}

/** How to start it, as the agent wants it. */
export interface AgentLaunch {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Environment
  /** What it reads to the end; with a dialogue empty: what is said comes later. */
  readonly stdin: Uint8Array
  /** The session that it will bear, where that is known before it starts. */
  readonly session?: SessionId
  /** What a confinement around it leaves it of its own. Absent: nothing. */
  readonly own?: OwnPlaces
  /** What its `dialogue` has to know, as JSON; absent: it is talked to by stdin alone. */
  readonly brief?: string
}

/**
 * Files and directories that an agent needs for itself: its login, settings and sessions. All paths
 * are absolute; one that is missing is passed over, and of two that lie one in the other the inner
 * one counts. A confined agent must not be able to change what a later, unconfined run of it would
 * obey (settings, hooks): that is only readable.
 */
export interface OwnPlaces {
  readonly readable: readonly string[]
  readonly writable: readonly string[]
  /** Directories that it can write, and that are made where they are missing. Absent: none. */
  readonly made?: readonly string[]
  /** Absent: none. */
  readonly loose?: readonly LooseDirectory[]
}

/**
 * A directory in which it can make files, but not change those that were there. A missing one is
 * made. On Linux what is new in it is seen by nobody else, and gone with the attempt; elsewhere the
 * locks alone can be made.
 */
export interface LooseDirectory {
  readonly path: string
  /** Names of what it makes there and removes again. */
  readonly locks: readonly string[]
  /**
   * Names of what it replaces as a whole, which cannot be done to what is only readable: on Linux it
   * sees none of it, and makes its own. Absent: none.
   */
  readonly anew?: readonly string[]
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
  /**
   * Numbers of the messages that its output shows it has, of those that were said to it in this
   * attempt (`messageKey`). Absent: none.
   */
  readonly heard?: readonly number[]
  /**
   * What it has asked, oldest first, as far as its output tells: a question is open until a line
   * with its `answerKey` was said (`findOpen`). Absent: nothing.
   */
  readonly questions?: readonly Question[]
  /** Whatever else the agent has to remember; plain JSON, and small: it is stored at every look. */
  readonly own?: unknown
}

export interface Translator {
  readonly initial: Translation
  /** Pure. `line` is one line of stdout without its end; bytes that are no UTF-8 are replaced. */
  translate(
    state: Translation,
    line: string,
  ): { readonly state: Translation; readonly events: readonly AgentEvent[] }
}

/** How an attempt's agent process ended, for a judgement. */
export interface AgentEnding {
  readonly exit: AgentExit
  /** The end of its stderr. */
  readonly stderr: string
  /** When it last wrote anything, in milliseconds since 1970: what it says of times was said then. */
  readonly saidAt: number
  /** The IANA name of the time zone that it ran in. */
  readonly timeZone: string
}

/** One thing to say to an agent, as a line of its stdin. */
export interface Utterance {
  /** Tells it from all others of this attempt, so that nothing is said twice over a crash. */
  readonly key: string
  /** Without its end. */
  readonly line: string
  /** What it means for the log, which the agent itself does not tell: an action that was refused. */
  readonly events?: readonly AgentEvent[]
}

/**
 * A conversation with an agent over its stdin, which is a file that is only appended to. Pure: what
 * is to be said follows from what the agent has said, and a line that was written is never taken
 * back. It ends with a turn after which nothing is left to be said: the agent process is stopped then.
 */
export interface Dialogue {
  /**
   * What is to be said now and was not yet, in this order. It answers by itself whatever the task's
   * permissions answer: what is open after these lines were said is for whoever handed it in. An
   * answer that it does not take (`takesAnswer`) is passed over, and the question stays open.
   */
  speak(
    state: Translation,
    brief: string,
    said: ReadonlySet<string>,
    wishes: DialogueWishes,
  ): readonly Utterance[]
  /** Whether words answer a question that it has asked, as far as its output tells. */
  takesAnswer(state: Translation, question: string, words: string): boolean
  /**
   * It says messages (`DialogueWishes.messages`). Absent: they wait for the end of the turn, and are
   * what its session goes on with in the next attempt.
   */
  readonly saysMessages?: true
  /** It says them only once the turn is over. Absent: in the middle of it too. */
  readonly waitsForEnd?: true
  /** It refuses a message for good, which is left to the next attempt. Absent: it does so of none. */
  leaves?(state: Translation, message: Message): boolean
  /** The key of the line by which it interrupts the turn. */
  readonly interruptKey: string
  /** The key of a line that was said; undefined for a torn one. */
  keyOf(line: string): string | undefined
  /**
   * The turn has ended, and it goes on by itself all the same, with what it has begun in the
   * background. Absent: it does not.
   */
  goesOn?(state: Translation): boolean
}

export interface DialogueWishes {
  /**
   * What it has not heard yet, in its order, each to be said once, under its `messageKey`: in the
   * middle of the turn where it can be, else as the next turn. One that it refuses (because its turn
   * was just over) is said again, under another key. What it takes, `Translation.heard` names.
   */
  readonly messages: readonly Message[]
  /** Answers to its questions, by their ids: the id of an option, or words. */
  readonly answers: ReadonlyMap<string, string>
  /** It is to stop its turn. */
  readonly interrupt: boolean
}

/** A session that is to go on elsewhere; absolute paths, as the system says them. */
export interface SessionMove {
  readonly session: SessionId
  readonly from: string
  readonly to: string
}

/**
 * A home for one worktree alone, in place of the user's: with sessions of its own, and with the
 * user's login and settings. `home` is a directory that is the worktree's, absolute; it need not be there.
 */
export interface OwnHome {
  /** What is laid over the environment, so that all that the agent keeps is kept there. */
  variables(home: string): Environment
  /** Whether a session was begun there, or brought. */
  holds(home: string, session: SessionId): boolean
  /**
   * Makes it, or brings it up to date with the user's own, which `environment` says; before every
   * launch. Refuses with `agent_logged_out` where the user's login cannot be had from there.
   */
  prepare(home: string, environment: Environment): Promise<void>
  /** How a session goes on in another home than it is in. Nothing is written before `carry`. */
  planMove(
    session: SessionId,
    homes: { readonly from: Environment; readonly to: Environment },
  ): Promise<SessionPlan>
}

export type SessionPlan =
  /** `carry` can be called again after a death in the middle of it, or when all was done. */
  | { readonly kind: 'moves'; carry(): Promise<void> }
  | { readonly kind: 'stays'; readonly why: string }

/** What an agent itself keeps of one of its sessions. */
export interface KeptSession {
  readonly session: SessionId
  /** Where it was begun, absolute; null: it does not say. */
  readonly directory: string | null
  /** Who has it open at this moment; `unknown`: the agent does not write that down. */
  readonly openIn: 'nobody' | 'unknown' | { readonly pid: number }
}

/** A look at what the agent keeps, without a start of it: files are read, and nothing is written. */
export interface KeptSessions {
  /** Undefined: it keeps none of that name, or none can be read. */
  find(session: SessionId, environment: Environment): KeptSession | undefined
  /**
   * The session of a directory that was written last, if that was at `since` (milliseconds since 1970)
   * or later. Undefined: there is none.
   */
  newestIn(directory: string, since: number, environment: Environment): SessionId | undefined
  /**
   * Of messages that were said to it in a dialogue, the numbers of those that its model reads in the
   * session when that goes on. Absent: its output tells as soon as that is so.
   */
  hold?(
    session: SessionId,
    messages: readonly Message[],
    environment: Environment,
  ): Promise<readonly number[]>
}

export interface Agent {
  readonly name: string
  readonly capabilities: AgentCapabilities
  /** The version that all of its tests have run with; others are used too. Null: it has none. */
  readonly testedVersion: string | null
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
  /**
   * What a person allows it, it runs outside of its own confinement: where it is to ask, the system's
   * is put around it in place of that. Absent: it stays within, or has none.
   */
  readonly asksBeyondItsConfinement?: true
  /**
   * The mode that the user's own configuration of the agent names, for one that has no
   * `settlePermissions`: where it is stricter than what is asked, the system holds the agent to it.
   * Null: none that is stricter than others. Refuses with `permissions_unavailable` where the
   * configuration keeps it from working unattended.
   */
  configuredMode?(environment: Environment): Promise<PermissionMode | null>
  /**
   * Names whoever pays: a limit that is met by one task holds for all of the same account. Reads
   * files at most; holds no secret. Absent: all of this agent's tasks share one.
   */
  findAccount?(environment: Environment): Promise<string>
  /** The model that the user has set for reviews in the agent's own configuration. Absent: it knows none. */
  findReviewModel?(environment: Environment): Promise<string | undefined>
  /**
   * What its session has used up to now, for a budget that is to be kept within a turn. Absent: the
   * agent says it on the way, or not before the turn's end.
   */
  readUsage?(session: SessionId, environment: Environment): Promise<Usage | null>
  /**
   * Keeps a session from what the agent itself would do to it when it takes it up; before every
   * launch that resumes one. `now` in milliseconds since 1970. Absent: nothing has to be done.
   */
  keepSession?(session: SessionId, environment: Environment, now: number): Promise<void>
  /**
   * How a session goes on in another directory than it was begun in. Nothing is written before
   * `carry`. Absent: it cannot; the agent binds its sessions to a directory.
   */
  planSessionMove?(move: SessionMove, environment: Environment): Promise<SessionPlan>
  /** Absent: what it keeps cannot be looked at cheaply. */
  readonly keptSessions?: KeptSessions
  /** Absent: all of its tasks share the user's home. */
  readonly ownHome?: OwnHome
  /**
   * The argv by which people go on with a session themselves, given in its directory. Absent: none
   * is known.
   */
  interactive?(session: SessionId): readonly [string, ...string[]]
  /** Absent: it has none that we know how to start. */
  readonly ui?: Interactive
  planLaunch(request: LaunchRequest): AgentLaunch
  /** Absent: it cannot be talked to while it works. */
  readonly dialogue?: Dialogue
  /** Pure: a failure is classified, and `outcomeOf` says what follows. */
  judge(translation: Translation, ending: AgentEnding): AttemptOutcome
}
