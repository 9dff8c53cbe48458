/**
 * What the operating system says of its processes. All that differs from system to system stands
 * behind this port; there is one implementation for each (`src/process/linux`, `…/macos`). It only
 * looks: signals are sent by those who ask.
 *
 * A process is never known by its name. What cannot be seen is said to be so, and never taken for
 * dead: `liveness` then says `unknown`, and the others throw `ProcessesUnseen`. Other failures of a
 * look (no file descriptor left) are thrown as they are.
 */
import { AppError } from '../domain/errors.ts'
import type { Liveness } from '../domain/recovery.ts'

/** The system does not say who lives: a sandbox forbids it, or there is no means left to ask. */
export class ProcessesUnseen extends AppError {
  constructor(why: string, cause?: unknown) {
    super('refused_in_state', why, { hint: 'holdfast doctor', cause })
  }
}

/** What a pid and a start time are relative to. What cannot be read is an empty string. */
export interface Place {
  readonly machine: string
  readonly boot: string
  /** Where the system has none, the same for all. */
  readonly pidNamespace: string
}

/** A pid with its start time: unique within one place. */
export interface LocalIdentity {
  readonly pid: number
  /**
   * In a unit of the system's own (`docs/reference/run-directory.md`), fine enough that no pid is
   * given out twice at the same one. For comparing with each other, never with a clock.
   */
  readonly startTime: number
}

/** A process of this machine, this boot, this PID namespace, this start time. */
export interface ProcessIdentity extends Place, LocalIdentity {}

/** A live process. Ids of 0 are outside of our PID namespace, or not to be had. */
export interface ProcessEntry extends LocalIdentity {
  readonly name: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Whether it has a controlling terminal. */
  readonly terminal: boolean
}

/** A live process as a scan saw it. */
export interface SeenProcess extends ProcessEntry {
  /** The value of the variable that was asked for; null: it has none, or does not let us see. */
  readonly mark: string | null
  /** Where it stands; null: it does not let us see. */
  readonly directory: string | null
}

/** Is shown a process that bears a mark as soon as it is seen: a moment later it may be gone. */
export type OnBearer = (bearer: ProcessEntry, mark: string) => void

export interface Chase {
  /** Looks for nothing but bearers, among nothing but those that have come since the last look. */
  look(onBearer: OnBearer): void
  /** How many looks without a pause must meet nobody, until nobody is there. */
  readonly quietLooks: number
}

export interface WatchedProcess {
  /** As `ProcessTable.liveness`. */
  liveness(): Liveness
  /** To be called when nobody asks any more. */
  close(): void
}

export interface ProcessTable {
  /** Where this process runs. */
  place(): Place
  /** This very process, as others can recognise it. */
  self(): ProcessIdentity
  /**
   * Whether a process of this place lives. A stopped one does; one that awaits its parent does
   * not. Cheap enough for 200 attempts twice a second.
   */
  liveness(process: LocalIdentity): Liveness
  /** For whoever asks that of the same process again and again: it may cost less. */
  watch(process: LocalIdentity): WatchedProcess
  /** Whether it lives, and somebody has suspended it. */
  isSuspended(process: LocalIdentity): boolean
  /** The live process that has a pid; undefined: there is none. */
  find(pid: number): ProcessEntry | undefined
  /**
   * The live processes of this user that may be ended: not this process, not one that it descends
   * from, not pid 1; and none that started before `since`. `variable` names the environment
   * variable by which marks are borne; its values hold no white space.
   */
  scan(variable: string, since: number, onBearer: OnBearer): readonly SeenProcess[]
  /**
   * The same for marks alone, made to be repeated without a pause, so that also those are met that
   * live for a moment only.
   */
  makeChase(variable: string, since: number): Chase
  /** All live processes of this user but this one that have a variable: one look, for no more. */
  forBearers(variable: string, onBearer: OnBearer): void
  /**
   * What processes have used so far, their children that are gone included: CPU time in
   * milliseconds; bytes read and written, 0 where the system does not say. Undefined: it is gone.
   */
  exertionOf(
    process: LocalIdentity,
  ): { readonly cpuMs: number; readonly ioBytes: number } | undefined
  /** What processes were started as, for people: pid → one line, cut; its name in brackets where one does not say. */
  commandsOf(processes: readonly ProcessEntry[]): ReadonlyMap<number, string>
  /** The bytes of this process's command line, zero bytes between; undefined: not to be had. */
  ownCommandLine(): Uint8Array | undefined
  /**
   * Defines a function `identify` of `sh` that prints the identity of the shell that runs it, as
   * `PID START` on a line, or fails. It sets no variable, and leaves the arguments as they are.
   */
  readonly shellIdentify: string
  /**
   * The command that puts what follows it into a session of its own, and lets go of it: the parent
   * is gone at once. Programs are looked for in `toolPath`, in the form of PATH. `launch_failed`
   * where there is none.
   */
  ownSession(toolPath: string): readonly [string, ...string[]]
}
