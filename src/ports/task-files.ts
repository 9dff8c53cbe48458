/**
 * The task directory, `tasks/<id>/`: what a task was asked and what it brought home, readable when
 * the repository is gone. Directories have mode 0700, files 0600.
 */
import type { Fence, TaskId, WorktreeId } from '../domain/ids.ts'
import type { CommandRole } from '../domain/set-up.ts'
import type { RunningSnapshot, Snapshot } from '../domain/snapshot.ts'
import type { Attempt, EndedState, TaskRequest } from '../domain/task.ts'
import type { KnownProcess } from '../domain/tie.ts'
import type { Environment } from './agent.ts'
import type { SetUpTime } from './worktrees.ts'

/** What is kept of a worktree that no task has asked for. */
export interface LoneRemains {
  readonly worktree: WorktreeId
  readonly isAdding: boolean
  readonly isHeld: boolean
}

export interface TaskFiles {
  /** `tasks/<id>`, absolute. */
  directory(task: TaskId): string
  /** `tasks/<id>/runs/<fence>`: the files of one attempt. */
  runDirectory(task: TaskId, fence: Fence): string
  /** Where a confined agent has its temporary files; it need not be there. */
  scratchDirectory(task: TaskId): string
  /** Where an agent's own home for one worktree is; it need not be there. */
  agentHome(worktree: WorktreeId): string
  /** Where all of those are. */
  agentHomes(): string
  /** Where the managed worktree of a task stands. */
  worktreePath(worktree: TaskId | WorktreeId): string
  /** Where all worktrees of ours stand. */
  worktreesDirectory(): string
  /** Where spare worktrees stand; on the file system of all others. */
  pool(): string
  /** Where retired worktrees are renamed to before they are unlinked; on their file system. */
  trash(): string
  /** Where the directories of all snapshots are; it need not be there. */
  snapshots(): string
  /** Where the ignored files and submodules of a snapshot lie: a private directory, made if it is missing. */
  openSnapshotDirectory(worktree: WorktreeId, number: number): Promise<string>
  /** The copies of what each snapshot is, which are for the case that its row is lost. */
  listSnapshotCopies(): Promise<readonly Snapshot[]>
  /** Takes it away; none is no error. */
  removeSnapshotDirectory(worktree: WorktreeId, number: number): Promise<void>
  /** Where a snapshot of a running task lies: `snapshot-<fence>-<number>.bundle`. */
  runningSnapshot(task: TaskId, snapshot: Pick<RunningSnapshot, 'fence' | 'number'>): string
  /** Takes the snapshots of a running task away, but for one, and what a killed capture has left. */
  removeRunningSnapshots(
    task: TaskId,
    except: Pick<RunningSnapshot, 'fence' | 'number'> | null,
  ): Promise<void>
  /** Makes the task directory, with the repository's common git directory written down in it. Refuses with `store_unwritable`. */
  create(task: TaskId, repository: string): Promise<void>
  /** Writes prompt and environment; both and their directories are on disk when it returns. */
  writeRequest(task: TaskId, prompt: Uint8Array, environment: Environment): Promise<void>
  /** Writes it into the task directory, and tells where. */
  keepOutputSchema(task: TaskId, schema: string): Promise<string>
  readPrompt(task: TaskId): Promise<Uint8Array>
  readEnvironment(task: TaskId): Promise<Environment>
  /**
   * When the task ends: temporary files are no work; the environment and the included files may
   * hold secrets.
   */
  forgetSecrets(task: TaskId): Promise<void>
  /** The collected patch; undefined where nothing was collected. */
  readPatch(task: TaskId): Promise<Uint8Array | undefined>
  /** Keeps the files that a trusted command names; they are on disk when it returns. */
  writeScripts(task: TaskId, role: CommandRole, scripts: readonly Uint8Array[]): Promise<void>
  readScript(task: TaskId, role: CommandRole, n: number): Promise<Uint8Array>
  /** Where to run the nth from: from `standing` where that is what was trusted, else from what was kept. */
  chooseScript(task: TaskId, role: CommandRole, n: number, standing: string): Promise<string>
  /**
   * `tasks/<id>/clean-up/<number>`, laid out like a run directory: the clean-up of its worktree after
   * the snapshot of that number.
   */
  cleanUpDirectory(task: TaskId, number: number): string
  /**
   * `tasks/<id>/verify/<fence>.<run>`, laid out like a run directory: one run of the command that
   * looks at what an attempt has done.
   */
  verifyDirectory(task: TaskId, fence: Fence, run: number): string
  /** All that are there, of any attempt. */
  listVerifyDirectories(
    task: TaskId,
  ): Promise<readonly { readonly fence: Fence; readonly directory: string }[]>
  /** Takes one away that came to nothing. */
  removeVerifyDirectory(task: TaskId, fence: Fence, run: number): Promise<void>
  /** Takes one away that came to nothing. */
  removeCleanUpDirectory(task: TaskId, number: number): Promise<void>
  /** The file that stands once a worktree's set-up is over; its directory is there. */
  setUpMark(worktree: WorktreeId): string
  setUpTime(worktree: WorktreeId): SetUpTime
  markSetUp(worktree: WorktreeId): Promise<void>
  /** For a worktree that is about to be made, or that is gone. */
  clearSetUpMark(worktree: WorktreeId): Promise<void>
  /** That a worktree is for a process, and stays while that lives. */
  keepHolder(worktree: WorktreeId, process: KnownProcess): Promise<void>
  /** Undefined: it is for nobody. */
  findHolder(worktree: WorktreeId): Promise<KnownProcess | undefined>
  dropHolder(worktree: WorktreeId): Promise<void>
  /** A private directory, empty, for what comes along into a worktree that is being made. */
  openAdding(worktree: WorktreeId): Promise<string>
  closeAdding(worktree: WorktreeId): Promise<void>
  /** The worktrees of which there is such a directory, or a holder. */
  listLone(): Promise<readonly LoneRemains[]>
  /**
   * A directory below another one, made if it is missing. Undefined: on the way there is something
   * else than a directory, such as a link; nothing was made then.
   */
  ensureWithin(directory: string, below: string): Promise<string | undefined>
  /** The task directories that there are, by the names of their tasks. */
  list(): Promise<readonly TaskDirectory[]>
  /** Whether what a submission writes is (still) there. */
  isThere(task: TaskId): boolean
  /** Whether an attempt was ever launched. */
  hasRuns(task: TaskId): boolean
  /** The copies of what was asked and of how it ended, which are for the case that its row is lost. */
  readCopies(task: TaskId): Promise<TaskCopies>
  /** The attempts of which there is a run directory, in their order. */
  listRuns(task: TaskId): Promise<readonly Attempt[]>
  /** Takes a task directory away, for a submission that failed. */
  remove(task: TaskId): Promise<void>
}

/** Null: there is none, or none that can be read. */
export interface TaskCopies {
  readonly request: TaskRequest | null
  readonly end: EndedState | null
}

/** A task directory as `list` finds it. */
export interface TaskDirectory {
  readonly task: TaskId
  /** In milliseconds since 1970. */
  readonly madeAt: number
  /** The common git directory that it was made for; null where that was not written down. */
  readonly repository: string | null
  readonly hasEnvironment: boolean
  /** Whether an attempt was ever launched. */
  readonly hasRuns: boolean
  /** Whether it was handed in: there was a row, and what was asked was copied. */
  readonly wasHandedIn: boolean
  /** Whether it ended: the row said so, and how it ended was copied. */
  readonly hasEnded: boolean
}
