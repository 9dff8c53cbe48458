/**
 * Git worktrees, and all that we ask of git. The only layer that spawns `git`; never trusts a
 * directory that an agent could write: every call names the recorded git directory.
 */
import type { Bounds } from '../domain/configuration.ts'
import type { CommitId, Fence, TaskId, WorktreeId } from '../domain/ids.ts'
import type { RepositoryResult } from '../domain/outcome.ts'
import type { ChangedFile } from '../domain/patch-sections.ts'
import type { DirectoryOrder, IncludedFiles } from '../domain/set-up.ts'
import type { SnapshotContent } from '../domain/snapshot.ts'
import type { OutputRights } from '../domain/spare.ts'
import type { Base, RepositoryPlace, WorktreeKind } from '../domain/task.ts'

/** A checkout that a caller stands in, and the commit it is on. */
export interface Checkout {
  readonly place: RepositoryPlace
  /** The git directory of this checkout: of a linked worktree, its own. */
  readonly gitDir: string
  readonly head: CommitId
  /** The tree of `head`. */
  readonly headTree: string
  readonly objectFormat: 'sha1' | 'sha256'
}

/** Which uncommitted changes a task starts from. `tracked`: not the files that git does not know. */
export const changeScopes = ['all', 'tracked', 'none'] as const
export type ChangeScope = (typeof changeScopes)[number]

/** What `run` carries along, and its bounds. */
export interface CaptureOrder extends Bounds {
  readonly changes: ChangeScope
  /**
   * The commit to start from, in the caller's words (`v1.2`, `main~3`); null: HEAD. Changes belong
   * to HEAD: with any other commit none are carried.
   */
  readonly revision: string | null
}

/** A worktree of ours as it was made; the recorded truth that later looks are compared with. */
export interface WorktreeRecord {
  readonly id: WorktreeId
  readonly path: string
  /** Its own git directory, `<common>/worktrees/<id>`. */
  readonly gitDir: string
  readonly commonDir: string
  /** Identity of the directory itself, to notice a replacement. */
  readonly device: number
  readonly inode: number
  /**
   * Identity of `gitDir`, by which it is known again where its repository was moved to. Null: the
   * file system does not give any. Absent: the record is older, or of a borrowed checkout.
   */
  readonly gitDirIdentity?: string | null
  /** The tool that has made it: it was taken over, and is let go of in the end. Absent: we have. */
  readonly adoptedFrom?: string
}

/** `unseen`: it cannot be looked at, which may change: an agent can close its own directory. */
export type PlaceState = 'present' | 'worktree_lost' | 'repository_lost' | 'unseen'

/** What an agent changed: collected, held by `refs/holdfast/`, and written out as files. */
export interface CollectedResult {
  readonly commit: CommitId
  readonly files: number
  readonly insertions: number
  readonly deletions: number
  readonly leftOut: readonly string[]
  readonly repositories?: readonly RepositoryResult[]
}

/**
 * When set-up was over, in nanoseconds since 1970, as the file system says it; null: there was none.
 * No agent runs before that, so a file of no commit whose inode has not changed since came from
 * set-up. (Nothing but a clock that is set back can make a later change look older.)
 */
export type SetUpTime = bigint | null

/** What a snapshot of a running task is taken of, and where it goes. */
export interface RunningOrder {
  readonly base: Base
  readonly task: TaskId
  readonly fence: Fence
  /** The file that it becomes, in the task directory. */
  readonly file: string
  readonly bounds: Bounds
  readonly setUpAt: SetUpTime
  /** What the one before has seen; null: there was none. */
  readonly seen: string | null
}

/** `seen`: a mark of how the files are, by what the system says of them. */
export type RunningCapture =
  /** They are as they were `seen`. */
  | { readonly kind: 'unchanged' }
  /** They are those of the base: there is no file. */
  | { readonly kind: 'as_base'; readonly seen: string }
  | {
      readonly kind: 'taken'
      readonly seen: string
      readonly commit: CommitId
      readonly leftOut: readonly string[]
    }

declare const unleased: unique symbol
/** A worktree that no task claims: only `engine/retire.ts` can make one, by asking the store. */
export type UnleasedWorktree = WorktreeRecord & { readonly [unleased]: true }

export interface Worktrees {
  /** The same, whose gits write files as a task's caller would; null: as this process would. */
  withUmask(umask: number | null): Worktrees
  /**
   * The checkout at a directory. Refuses with `not_a_repository`, `no_commit` or
   * `refused_in_state`; git's own words are the cause.
   */
  openCheckout(directory: string): Promise<Checkout>
  /**
   * Takes the commit and the uncommitted changes, staged and unstaged kept apart, with conflicts and
   * flags, without touching the source (not even the bytes of its index), reads them back, and holds
   * them by a ref under `refs/holdfast/<task>/base`. What cannot be taken is named in the base's
   * `leftOut`. Refuses with `changes_too_large`, naming the largest paths, `no_space`, `no_commit`
   * (the revision names none) or `capture_failed`; then nothing is left behind.
   * `scratch` is a private directory that exists.
   */
  captureBase(checkout: Checkout, task: TaskId, scratch: string, order: CaptureOrder): Promise<Base>
  /**
   * Holds the base of another task for this one too. Refuses with `no_commit` where it is no longer
   * in the repository, and with `not_a_repository` where that is gone.
   */
  holdBase(commonDir: string, task: TaskId, base: Base): Promise<void>
  /**
   * The user's own checkout as a worktree to work in, under an id made of `name`. Nothing is written.
   * Refuses with `refused_in_state` where somebody has locked it, or where git keeps it in a way
   * that cannot be looked after.
   */
  borrowCheckout(checkout: Checkout, name: string): WorktreeRecord
  /**
   * Takes the ignored files that the checkout's `.worktreeinclude` names, into two files in
   * `directory`, a private one: they may be secrets. Null: there is no such file. What is too much,
   * or leads out of the checkout, is named in `leftOut`. Refuses with `no_space` or `capture_failed`.
   */
  takeIncluded(checkout: Checkout, directory: string, bounds: Bounds): Promise<IncludedFiles | null>
  /**
   * The ignored files of a checkout, by path from its top (of a directory that is ignored entirely
   * only its name, with a slash), and those that its `.worktreeinclude` would bring along.
   */
  listIgnored(
    checkout: Checkout,
  ): Promise<{ readonly ignored: readonly string[]; readonly included: readonly string[] }>
  /**
   * Writes what `takeIncluded` took into a worktree that was just made, with its modes. Gives what
   * it could not place, in words. Nothing that is there is replaced, and nothing stays that git does
   * not ignore there: it would look like work.
   */
  placeIncluded(worktree: WorktreeRecord, directory: string): Promise<readonly string[]>
  /**
   * Brings ignored directories from the checkout whose top is `source` into a worktree that was just
   * made. Gives what did not come, in words: what git does not ignore there, what is there already,
   * what is too much, what leads out. The checkout is only read.
   */
  placeDirectories(
    worktree: WorktreeRecord,
    source: string,
    orders: readonly DirectoryOrder[],
    bounds: Bounds,
  ): Promise<readonly string[]>
  /** Takes back what `captureBase` and `holdStart` wrote into the repository, when the submission fails after it. */
  dropBase(commonDir: string, task: TaskId): Promise<void>
  /**
   * Makes a worktree at `path`, which must not exist, born locked with `holdfast <task>` in its
   * reason, with the base's working tree and index. If it fails half-way nothing is left of it.
   * Registration is exclusive per repository, across processes. Refuses with `not_a_repository`
   * where the repository is gone.
   */
  createWorktree(
    id: WorktreeId,
    path: string,
    base: Base,
    commonDir: string,
  ): Promise<WorktreeRecord>
  /**
   * Makes a worktree for nobody yet, to be taken over by a task later. Null: this repository's
   * worktrees cannot be made in advance (sparse, or a partial clone).
   */
  makeSpare(
    id: WorktreeId,
    path: string,
    commit: CommitId,
    commonDir: string,
  ): Promise<SpareWorktree | null>
  /** Sets a spare on another commit; its files too. Null: it cannot be, and is only to be dropped. */
  aimSpare(spare: SpareWorktree, commit: CommitId): Promise<SpareWorktree | null>
  /**
   * Makes a spare the worktree of `id` at `path`, with the base's working tree and index: what
   * `createWorktree` would have made. `unfit`: there is a doubt, so it is not; it may have been
   * written to, and is only to be dropped.
   */
  claimSpare(
    spare: SpareWorktree,
    id: WorktreeId,
    path: string,
    base: Base,
  ): Promise<WorktreeRecord | { readonly unfit: string }>
  /**
   * Moves build output of a tree in the trash into a spare, as far as its snapshot has left it out and
   * git ignores it there. Null: the spare is in doubt since, and only to be dropped.
   */
  furnishSpare(spare: SpareWorktree, tree: TrashedTree): Promise<SpareWorktree | null>
  /** Takes that out of a spare again, to where `discardBuildOutput` finds it. */
  stripSpare(spare: SpareWorktree, trash: string): SpareWorktree
  /** Takes a spare away, however far it came. What a task has taken over is left alone. */
  dropSpare(spare: Omit<WorktreePlan, 'kind'>, claimedBy: WorktreeId | null): Promise<void>
  /** How many files the repository's own checkout has; null: that cannot be told. Without git. */
  countFiles(commonDir: string): number | null
  /** The same, whose gits give way to all others. */
  inBackground(): Worktrees
  /**
   * The record as it would be made now: after a repository was moved, and `git worktree repair` was
   * run in its new place, its git directory is found again there. Else the record itself.
   */
  locateWorktree(worktree: WorktreeRecord): WorktreeRecord
  /** Whether it is still what was made: cheap, no git; `repository_lost` is looked at first. */
  lookAtWorktree(worktree: WorktreeRecord): PlaceState
  /**
   * The agent's delta, base → worktree as it is now, as a commit under `refs/holdfast/<task>/result`
   * (the agent's own commits are kept as its parents), and in `directory` as `result.patch` and,
   * where anything changed, the thin bundle `result.bundle`, both synced. Work in submodules, and
   * commits of repositories that the agent made, go to `repositories` there. Files that came from
   * set-up are not the agent's, also where its own `.gitignore` no longer hides them. At `leave` it
   * ends whatever git it waits for, and rejects; nothing is lost by that.
   */
  collectResult(
    worktree: WorktreeRecord,
    base: Base,
    task: TaskId,
    directory: string,
    setUpAt?: SetUpTime,
    leave?: AbortSignal,
  ): Promise<CollectedResult>
  /** The agent's delta so far, as a patch; for a task that still runs. `scratch` exists. */
  diffNow(
    worktree: WorktreeRecord,
    base: Base,
    task: TaskId,
    scratch: string,
    setUpAt?: SetUpTime,
  ): Promise<Uint8Array>
  /**
   * The agent's files so far as one file in the task directory, for the case that the worktree is
   * lost; for a task that runs. Neither the worktree nor the repository is touched, and its gits
   * stand back behind all others. Ignored files and work in submodules are not in it. Refuses with
   * `changes_too_large` and `capture_failed`. At `leave` it ends whatever git it waits for, and
   * rejects. Nothing but the file is left in any case.
   */
  snapshotRunning(
    worktree: WorktreeRecord,
    order: RunningOrder,
    leave: AbortSignal,
  ): Promise<RunningCapture>
  /**
   * Holds the snapshot that another task starts from, for this one; `bundle` is its file (null: its
   * commit is in the repository). Its base is held already. Refuses with `no_snapshot`.
   */
  holdStart(commonDir: string, task: TaskId, commit: CommitId, bundle: string | null): Promise<void>
  /**
   * Gives a worktree that was just made from its base the files of a snapshot, and its HEAD. The
   * index stays as it was made, or is that of the HEAD.
   */
  placeStart(worktree: WorktreeRecord, base: Base, start: CommitId): Promise<void>
  /** Locks a worktree of ours that somebody has unlocked (`again`), unless git refuses. */
  keepLocked(worktree: WorktreeRecord): Promise<'locked' | 'again' | 'refused'>
  /**
   * Removes a worktree whose content is proven equal to `collected`: renamed into `trash` (same
   * file system), its registration removed by name, then unlinked. Refuses with `work_left` if
   * anything in it, ignored files too, is not in the collected result, and did not come from set-up.
   */
  removeWorktree(
    worktree: UnleasedWorktree,
    collected: CommitId | null,
    trash: string,
    setUpAt?: SetUpTime,
  ): Promise<void>
  /**
   * Takes its whole state: commit, index, working files and untracked ones under
   * `refs/holdfast/<id>/snapshot/<number>`, ignored files and populated submodules, with their
   * repositories, in `directory`, a private one that exists; what a submodule borrows of the user's
   * repository of it is held there by a ref of the same name. All is read back and compared. The
   * worktree is not touched. Refuses with `work_left`, naming what cannot be kept (a repository inside
   * that is no submodule, too much, a merge in progress), and as `captureBase` does.
   */
  takeSnapshot(
    worktree: WorktreeRecord,
    number: number,
    directory: string,
    bounds: Bounds,
    setUpAt: SetUpTime,
  ): Promise<SnapshotContent>
  /**
   * Takes a worktree away whose content is proven equal to the snapshot, ignored files and submodules
   * too: renamed into `trash` (same file system), its registration removed by name. What git calls
   * unchanged is believed to be; `purgeTrash` hashes it. Refuses with `work_left` where it is not
   * equal.
   */
  retireWorktree(
    worktree: UnleasedWorktree,
    snapshot: SnapshotContent,
    directory: string,
    trash: string,
  ): Promise<void>
  /** The trees in the trash that git has forgotten. */
  listTrash(trash: string): readonly TrashedTree[]
  /**
   * Unlinks a tree of the trash once every file in it is proven to be in its commit, and none came
   * in late; else it stays, with the reason (`kept`). Stops (`later`) when `goesOn` says no.
   */
  purgeTrash(
    trash: string,
    tree: string,
    goesOn: () => boolean,
  ): Promise<'gone' | 'later' | { readonly kept: string }>
  /**
   * Makes the worktree of a snapshot at `path`, which must not exist. `problems`: what could not be
   * brought back as it was, in words; it is still in the snapshot.
   */
  restoreWorktree(
    place: Omit<WorktreePlan, 'kind'>,
    snapshot: SnapshotContent,
    directory: string,
  ): Promise<{ readonly worktree: WorktreeRecord; readonly problems: readonly string[] }>
  /**
   * Ignored directories of a worktree that programs make anew (`node_modules`, `.venv`, what has a
   * `CACHEDIR.TAG`). A repository may lie in one all the same.
   */
  findBuildOutput(worktree: WorktreeRecord): Promise<readonly BuildOutput[]>
  /**
   * Moves one of them into `trash`, on the same file system, if it still is one. Asks then, once more,
   * whether nobody has come to use the worktree: if so it goes back. Whether it is gone.
   */
  moveBuildOutput(
    worktree: UnleasedWorktree,
    output: BuildOutput,
    trash: string,
    isFree: () => Promise<boolean>,
  ): Promise<boolean>
  /** Unlinks what `moveBuildOutput` put into `trash`, also of one that was killed. */
  discardBuildOutput(trash: string): Promise<void>
  /**
   * Whether merging a commit into the HEAD of the repository's own checkout would change nothing
   * there: it was merged, squashed or picked. Throws where that cannot be told.
   */
  isContained(commonDir: string, commit: CommitId): Promise<boolean>
  /**
   * Makes a branch of the agent's change alone, on the commit of its base; its own commits are kept
   * where it had nothing of the caller's to commit. An existing branch is never moved; one that is
   * the same already is no error (`isNew`: false). Refuses with `conflict` where the change does not
   * fit without the caller's uncommitted changes, with `bad_usage`, `refused_in_state` (the name is
   * taken) and `not_a_repository`.
   */
  makeBranch(order: BranchOrder): Promise<{ readonly commit: CommitId; readonly isNew: boolean }>
  /**
   * Holds a checkout as it is by a ref of the task: what a hand-off has left there, or, with `since`,
   * what it is by now, as a commit on top of that. Gives that commit, and what is not in it, in
   * words. Nothing of the checkout is touched. Refuses as `captureBase` does.
   */
  holdHandState(
    order: HandStateOrder,
  ): Promise<{ readonly commit: CommitId; readonly leftOut: readonly string[] }>
  /** Lets go of what `holdHandState` holds; none, or no repository, is no error. */
  dropHandState(commonDir: string, task: TaskId, which: 'handed' | 'returned'): Promise<void>
  /** Ignored files that did not come from set-up: they travel with no commit. */
  listLeftBehind(worktree: WorktreeRecord, setUpAt: SetUpTime): Promise<LeftBehind>
  /**
   * Whether a checkout is as a task of it found it: on the same commit, with the same files. Nothing
   * of it is touched. `scratch` is a private directory that exists.
   */
  isAsBase(checkout: Checkout, task: TaskId, base: Base, scratch: string): Promise<boolean>
  /** What there is to review in a checkout. Nothing of it is touched. */
  surveyChanges(checkout: Checkout): Promise<ChangeSurvey>
  /** The commit that the caller's words name in a checkout. Refuses with `no_commit`. */
  requireCommit(checkout: Checkout, revision: string): Promise<CommitId>
  /** The newest commit that HEAD of a checkout has in common with another; null: none. */
  mergeBase(checkout: Checkout, commit: CommitId): Promise<CommitId | null>
  /** The first parent of a commit; null: it is a first one. */
  parentOf(commonDir: string, commit: CommitId): Promise<CommitId | null>
  /**
   * What differs between two commits, for people and agents to read; `from` null: all that is there.
   * Of a longer patch there is the beginning, `mostBytes` of it.
   */
  compareCommits(
    commonDir: string,
    order: {
      readonly from: CommitId | null
      readonly to: CommitId
      readonly mostBytes: number
    },
  ): Promise<CommitChange>
  /**
   * How many lines files of a commit have, by their paths from its top; what is no file there is
   * missing. Null: the commit is gone, or its repository.
   */
  countFileLines(
    commonDir: string,
    commit: CommitId,
    paths: readonly string[],
  ): Promise<ReadonlyMap<string, number> | null>
  /**
   * Makes sure that a task's commits are in its repository, from the bundle in its task directory
   * where they are gone. Refuses with `not_a_repository`, `unrelated_repository` and `no_result`.
   */
  requireTaskCommits(order: TaskCommits): Promise<void>
  /** The names of a repository's remotes. */
  listRemotes(commonDir: string): Promise<readonly string[]>
  /** Those of them that a push takes all refs to, ours too. */
  listMirrors(commonDir: string): Promise<readonly string[]>
  /** The branch that a remote's HEAD is on, as far as it is known here; null: it is not. */
  defaultBranch(commonDir: string, remote: string): Promise<string | null>
  /**
   * Pushes a branch under its own name; never by force, and without hooks. Refuses with
   * `push_failed`, in git's own words.
   */
  push(commonDir: string, remote: string, branch: string): Promise<void>
  /** Lets go of what `takeSnapshot` has put into the repository; none, or no repository, is no error. */
  dropSnapshot(commonDir: string, id: WorktreeId, number: number): Promise<void>
  /**
   * Takes a worktree of ours away without any proof: one that was never finished, or whose work the
   * user gives up. Does nothing to what is not registered and locked for this id.
   */
  discardWorktree(id: WorktreeId, path: string, commonDir: string): Promise<void>
  /** Worktrees registered below `root` that are none of `known`; whoever made them. */
  findStrays(
    commonDir: string,
    root: string,
    known: readonly WorktreeId[],
  ): Promise<readonly Stray[]>
  /** What stands in `root` and is none of `known`, by its path as git names it. */
  listStanding(root: string, known: readonly Pick<WorktreePlan, 'path'>[]): readonly string[]
  /**
   * Takes what stands at a path below `root` away, without any proof, and its registration in that
   * repository: for what the user gives up.
   */
  discardStray(root: string, path: string, commonDir: string | null): Promise<void>
  /**
   * Deletes the refs of tasks under `refs/holdfast/<task>/`, with the directories that are empty
   * then. How many they were; null where the repository is gone.
   */
  dropRefs(commonDir: string, tasks: readonly TaskId[]): Promise<number | null>
  /**
   * The record of a worktree that stands, as it would have been written down when it was made.
   * Undefined: it is not provably the one of this id.
   */
  recogniseWorktree(place: WorktreePlan): WorktreeRecord | undefined
  /**
   * Locks a worktree that another tool has made as one of ours, in the place of the lock that was
   * seen there; may be done twice. Nothing else is touched. Refuses with `refused_in_state` where it
   * is no longer as it was seen.
   */
  adoptWorktree(place: WorktreePlan, seenLock: string | null): Promise<WorktreeRecord>
  /** Takes our lock away from such a one again. */
  releaseWorktree(id: WorktreeId, path: string, commonDir: string): Promise<void>
  /**
   * Has git forget a worktree of ours whose directory is gone. What only its registration still
   * holds (commits of its HEAD, what its index had staged) is held by `refs/holdfast/<id>/left`
   * first. Gives that commit; null: there was nothing. Does nothing to a registration of others.
   */
  forgetLost(place: WorktreePlan): Promise<CommitId | null>
  /** Whether its directory is gone for good, and not only a disk that is not mounted now. */
  isGone(worktree: WorktreeRecord): boolean
  /**
   * Lock files that a killed git left in what is ours of a repository: the worktree's own git
   * directory, and the refs of its task. None while anybody is at work there.
   */
  findStaleLocks(place: WorktreePlan): readonly string[]
  /** Removes such a file, if it is still one. */
  removeStaleLock(place: WorktreePlan, path: string): void
  /** Gits of ours that go on although whoever started them is dead. */
  findOrphans(): readonly OrphanGit[]
  /** Ends those at work on a worktree. */
  endOrphans(worktreePath: string): Promise<void>
  /** The version of git; throws where there is none, or where it is too old. */
  gitVersion(): Promise<string>
  /** The worktrees that git knows in a repository, with their lock reasons. */
  listRegistered(commonDir: string): Promise<readonly RegisteredWorktree[]>
  /** Whether something is at a path. */
  isThere(path: string): boolean
}

export interface HandStateOrder {
  readonly checkout: Checkout
  readonly task: TaskId
  /** What it was when the task was handed off to it; null: that is what this is to be. */
  readonly since: CommitId | null
  /** A private directory that exists. */
  readonly scratch: string
}

/** `from`: as git takes it; for a first commit, the empty tree. */
export interface CommitChange {
  readonly from: string
  readonly to: CommitId
  readonly files: readonly ChangedFile[]
  /** Bytes that are no text are replaced. */
  readonly patch: string
}

/** The base and the result of a task. */
export interface TaskCommits {
  readonly commonDir: string
  readonly task: TaskId
  readonly base: Base
  readonly result: CommitId
  /** The task directory: it has the bundle. */
  readonly directory: string
}

/** Files that differ from HEAD, and the branches that they may be compared with. */
export interface ChangeSurvey {
  /** Those files, as people read them, each with a mark of how it is now by what the system says of it. */
  readonly files: ReadonlyMap<string, string>
  readonly staged: number
  readonly unstaged: number
  readonly untracked: number
  /** Null: HEAD is detached. */
  readonly branch: string | null
  /** What the repository's work is merged into, as git names it here; null: that is not known. */
  readonly mainBranch: string | null
}

/** By path from the top of the worktree; of a directory that is ignored entirely only its name. */
export interface LeftBehind {
  readonly paths: readonly string[]
  /** So many are not named. */
  readonly more: number
}

/** A result that is to be a branch. */
export interface BranchOrder {
  readonly commonDir: string
  readonly base: Base
  readonly result: CommitId
  /** Short: `fix/login`. */
  readonly name: string
  /** Of the commit, where the agent has not committed itself. */
  readonly message: string
  /** The caller's uncommitted changes that the task started from come along. */
  readonly withBaseChanges: boolean
}

/** A worktree as it is planned, or recorded. */
export interface WorktreePlan {
  readonly id: WorktreeId
  readonly kind: WorktreeKind
  readonly path: string
  readonly commonDir: string
}

/** A worktree that was made in advance, and by what it is known to be untouched. */
export interface SpareWorktree {
  readonly record: WorktreeRecord
  readonly commit: CommitId
  /** The configuration that says how files look. */
  readonly rules: string
  /** The stat data of its index. */
  readonly index: string
  /** Build output in it that came from a worktree that was put away: paths with a slash. Absent: none. */
  readonly output?: readonly string[]
  /** With which rights that was written. */
  readonly rights?: OutputRights
}

/** A tree that was retired, and is yet to be unlinked. */
export interface TrashedTree {
  readonly id: WorktreeId
  /** Where it lies now. */
  readonly path: string
  /** Where it stood; null: that is not known. */
  readonly worktreePath: string | null
  /** The repository that it was of; null: that is not known. */
  readonly commonDir: string | null
  /** Why it is not unlinked: it holds what is nowhere else, or cannot be compared. */
  readonly kept: string | null
}

export interface BuildOutput {
  /** From the top of the worktree, as git gives it; for the port alone. */
  readonly path: string
  /** The same, for people; with a slash. */
  readonly shown: string
  /** Where it is, absolute, in bytes. */
  readonly place: Buffer
}

export interface Stray {
  /** By the reason of its lock; null: it is none of ours. */
  readonly id: WorktreeId | null
  readonly path: string
}

export interface OrphanGit {
  readonly pid: number
  readonly command: string
  readonly worktreePath: string
}

export interface RegisteredWorktree {
  readonly path: string
  /** Null: not locked. */
  readonly lockReason: string | null
  readonly prunable: boolean
  /** The full ref; null: HEAD is detached. */
  readonly branch: string | null
}
