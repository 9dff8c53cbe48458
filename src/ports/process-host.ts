/**
 * Processes of this machine: starting agents that are nobody's child, finding them again, ending
 * them with everything that they started. Works from run directories and the process table alone;
 * knows no database. The files of a run directory and their order are in `docs/reference/run-directory.md`.
 */
import type { Fence, TaskId } from '../domain/ids.ts'
import type { Liveness, RunFacts } from '../domain/recovery.ts'
import type { Exertion } from '../domain/stall.ts'
import type { Enclosure } from './confinement.ts'
import type { ProcessIdentity } from './process-table.ts'

/** What to start. All paths are absolute. */
export interface LaunchPlan {
  readonly task: TaskId
  readonly fence: Fence
  /** The run directory; it is made by the launch and may not exist before, except empty. */
  readonly runDirectory: string
  /** The program and its arguments; the program is an absolute path. Never goes through a shell. */
  readonly argv: readonly [string, ...string[]]
  /** The whole environment, without the mark: the host adds that. */
  readonly environment: Readonly<Record<string, string>>
  readonly workingDirectory: string
  /** Its umask; null, or not given: ours. */
  readonly umask?: number | null
  /** The bytes of stdin; the agent reads them from a file and then sees its end. */
  readonly stdin: Uint8Array
  /**
   * The agent is talked to while it works: it never sees the end of its stdin, to which `say` adds.
   * Kept for whoever talks to it. Null, or not given: it is not.
   */
  readonly brief?: string | null
  /** Null: none, or it is done already. If it fails, the agent is not started. */
  readonly setUp: SetUpOrder | null
  /**
   * How much memory its processes may use together; where that cannot be held, it is not launched.
   * Null, or not given: no limit.
   */
  readonly memoryBytes?: number | null
  /** What is put around the agent; null: nothing. */
  readonly enclosure: Enclosure | null
  /**
   * It runs at the terminal of whoever takes the offer that the launch makes, in its foreground; that
   * is who starts it. Null, or not given: it is started by the launch.
   */
  readonly terminal?: { readonly marked: boolean } | null
}

/** How to start an attempt that runs at a terminal. It holds the environment, which may hold secrets. */
export interface Offer {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
}

/** What runs before the agent, in its process and with its environment. */
export interface SetUpOrder {
  /** The program is found on the PATH, or is an absolute path. Never goes through a shell. */
  readonly argv: readonly [string, ...string[]]
  readonly workingDirectory: string
  /** Added to the agent's environment, for this alone. */
  readonly environment: Readonly<Record<string, string>>
  /** An absolute path: the empty file that is made once it is over and went well. */
  readonly mark: string
}

/** What can be seen of an attempt's set-up; that it went well is said by its mark alone. */
export interface SetUpLook {
  /** The status that it failed with, as a shell says it; null: it did not come to say one. */
  readonly failure: number | null
  /** The end of what it printed. */
  readonly words: string
  /** Where all of that is. */
  readonly log: string
}

/** One process of an attempt, as found by a scan. */
export interface FoundProcess {
  readonly pid: number
  readonly command: string
  /** Why it counts as the attempt's: its mark, its parentage, its session or group, its directory. */
  readonly because: 'mark' | 'descent' | 'session' | 'directory'
}

/** A process with the mark of an attempt, and what the mark says. */
export interface MarkedProcess {
  readonly pid: number
  readonly command: string
  readonly mark: string
  readonly task: TaskId
  readonly fence: Fence
}

/** How to recognise the processes of one attempt (DESIGN: identity). */
export interface AttemptProcesses {
  readonly task: TaskId
  readonly fence: Fence
  readonly runDirectory: string
  /** The managed worktree: whoever stands in it belongs to the attempt. Null: it is the user's own. */
  readonly worktree: string | null
}

export interface StopOrder {
  /** The signal that ends the agent *and its tools* in order, sent to the agent alone; null: none does. */
  readonly graceful: 'SIGINT' | 'SIGTERM' | null
  /** How long the graceful end may take before the forceful one, in milliseconds. */
  readonly graceMs: number
}

export interface StopReport {
  /** True once nothing of the attempt is left alive. */
  readonly ended: boolean
  /** Those that were found and ended, or, if `ended` is false, that still live. */
  readonly processes: readonly FoundProcess[]
}

export interface OutputWatch {
  /** False: it was stopped, or the system has no more of them to give. */
  isOn(): boolean
  stop(): void
}

export interface ProcessHost {
  /**
   * Writes `launch.json`, `stdin` and `brief` (synced), then starts the wrapper in a process session of its
   * own, and resolves when the agent process has written itself down, right before its `exec`; with
   * a set-up, when that begins.
   * Rejects with `launch_failed` after `LAUNCH_LIMIT_MS`; by then nothing of it is left alive.
   */
  launch(plan: LaunchPlan): Promise<void>
  /**
   * Takes the offer of a launch, and writes down who has: nobody else gets it. Undefined: there is none
   * (yet, or any more). Refuses with `refused_in_state` where what is started from here could not be
   * seen by the worker.
   */
  takeOffer(runDirectory: string): Promise<Offer | undefined>
  /**
   * Starts what was offered in the foreground of this process's terminal, and resolves when it has
   * ended; the terminal is then as it was before. Signals of the terminal are not for this process
   * meanwhile. `hung_up`: the terminal is gone, and what was started had a while to end by itself. How
   * it ended says the run directory, and that this process saw it.
   */
  runAtTerminal(runDirectory: string, offer: Offer): Promise<'ended' | 'hung_up'>
  /**
   * Whoever took the offer; `saw_end`: it lived to see the end of it, and `hung_up`: with the terminal
   * gone by then. Null: nobody has taken it.
   */
  lookAtOpener(runDirectory: string): Liveness | 'saw_end' | 'hung_up' | null
  /** Null: the attempt was to begin with no set-up. */
  lookAtSetUp(runDirectory: string): SetUpLook | null
  /**
   * How many processes of the attempt the kernel has killed for want of memory, as it has counted
   * itself. Null: not known; it counts only where the attempt has a control group of its own.
   */
  countMemoryKills(runDirectory: string): number | null
  /** Makes it outlast a power cut that the agent itself was started. */
  keepStart(runDirectory: string): Promise<void>
  /** What the run directory and the processes say; cheap enough for 200 attempts twice a second. */
  lookAtRun(runDirectory: string): RunFacts
  /**
   * New whole lines of the attempt's stdout from a byte offset, a bounded amount at a time; the
   * offset stays when there is nothing new. `ended`: also a last line without an end. `atEnd`:
   * there is no more to take at present.
   */
  readLines(
    runDirectory: string,
    offset: number,
    ended: boolean,
  ): { readonly lines: readonly string[]; readonly offset: number; readonly atEnd: boolean }
  /** As it was launched with; null: the attempt is not talked to, or is gone. */
  readBrief(runDirectory: string): string | null
  /**
   * Adds whole lines to an agent's stdin, at once and without waiting for anybody to read them. A
   * line that a killed worker left torn is ended first. Throws where it cannot be written.
   */
  say(runDirectory: string, lines: readonly string[]): void
  /**
   * All lines that were said so far, in their order, torn ones among them. A last line without its
   * end is ended first, so that it is either known as said here or never was: for a worker that
   * begins to follow an attempt, and for nobody who only looks.
   */
  readSaid(runDirectory: string): readonly string[]
  /** Calls back whenever the agent has written to stdout, possibly more often, while it is on. */
  watchOutput(runDirectory: string, onChange: () => void): OutputWatch
  /** The last bytes of what the agent wrote to stderr; empty if there is none. */
  readStderrTail(runDirectory: string, bytes: number): string
  /** When the agent last wrote to stdout or stderr (milliseconds since 1970); null: never. */
  lastOutputAt(runDirectory: string): number | null
  /** Every live process of the attempt, this process excepted. Scans the whole process table. */
  findProcesses(attempt: AttemptProcesses): readonly FoundProcess[]
  /** What the processes of the attempt have used; null: it cannot be measured here. */
  measure(attempt: AttemptProcesses): Exertion | null
  /** Every live process that bears the mark of an attempt, whosever store that is in. */
  findMarked(): readonly MarkedProcess[]
  /** Whether a mark is the one that the attempt of a run directory was launched with. */
  isMarkOf(mark: string, runDirectory: string): boolean
  /** Ends every process of the attempt: gracefully, then forcefully, then looks again. */
  stop(attempt: AttemptProcesses, order: StopOrder): Promise<StopReport>
  /**
   * Takes a person's word that the processes of an attempt are gone, where they are out of sight (of
   * another machine or PID namespace). False: they can be looked for, and nobody's word counts.
   */
  declareGone(attempt: AttemptProcesses): boolean
  /** Starts a program that outlives this one: own session, reparented, standing in `/`. */
  startDetached(
    argv: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>>,
    logFile: string,
  ): Promise<void>
  /** Whether the process that called itself `identity` lives. */
  liveness(identity: ProcessIdentity): Liveness
  /** This very process, as others can recognise it. */
  self(): ProcessIdentity
}
