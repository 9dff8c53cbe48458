/**
 * Makes a worktree. Only its registration is exclusive; the files are written outside of the lock.
 * A try of the same id that was killed half-way is ended and cleared away first.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
} from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { WorktreeId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Locks } from '../../ports/lock.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { readDelta } from '../capture/read-back.ts'
import { makeSubmodule, type Surroundings } from '../capture/submodules.ts'
import { pathsIn, readTraits, restoreTraits, sparseRulesIn } from '../capture/traits.ts'
import { discardTree } from '../files/discard.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { takeOver } from '../git/orphans.ts'
import { FETCH_LIMIT_MS, fetchHint, isPartialClone, withinLimit } from '../git/partial-clone.ts'
import { type IndexEdit, writeEntries } from '../git/private-index.ts'
import {
  findRegistration,
  identityOf,
  isLockedFor,
  lockReason,
  readPointer,
  removeAside,
  unregister,
  withRepositoryLock,
} from '../git/registration.ts'
import { readSettings, type Settings } from '../git/settings.ts'
import { checkOutBeyond, writeSparseRules } from '../git/sparse.ts'

/** A git of the user's own may register at the same moment; it is over in milliseconds. */
const REGISTER_TRIES = 5
const REGISTER_PAUSE_MS = 20

/** So many writers of files, where each has a core that nobody uses. */
const WRITERS = 2

export interface WorktreeOrder {
  readonly id: WorktreeId
  readonly path: string
  readonly base: Base
  readonly commonDir: string
}

/** See `Worktrees.createWorktree`. */
export async function createWorktree(
  git: Git,
  locks: Locks,
  clock: Clock,
  processes: ProcessTable,
  asked: WorktreeOrder,
  fetchLimitMs = FETCH_LIMIT_MS,
): Promise<WorktreeRecord> {
  if (!existsSync(join(asked.commonDir, 'HEAD'))) {
    throw new AppError('not_a_repository', `the repository ${asked.commonDir} is gone`, {
      hint: 'if it was moved, hand the task in again there',
    })
  }
  const parent = dirname(asked.path)
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  // As git will write it down: registrations are found by it.
  const order = { ...asked, path: join(realpathSync(parent), basename(asked.path)) }
  const { id, path, base, commonDir } = order
  const own = await takeOver(git, clock, processes, path)
  try {
    const settings = settingsOf(own, commonDir)
    // Beside the registration; where that fails first, nobody waits for them.
    if (base.changes !== null) settings().catch(() => undefined)
    await withRepositoryLock(locks, commonDir, async () => {
      reach('worktree.locked')
      await clearKilledTry(order)
      await register(own, clock, order)
      reach('worktree.registered')
    })
    const record = recordOf(order)
    const fill = async () => {
      await fillWorktree(own, record, base, settings)
      await fillSubmodules(
        own,
        { path: record.path, gitDir: record.gitDir, origin: commonDir },
        base,
      )
    }
    await (isPartialClone(commonDir) ? withinLimit(own, fetchLimitMs, fill) : fill())
    return record
  } catch (error) {
    // What is left of it must not hide why it failed.
    await withRepositoryLock(locks, commonDir, () => discardWorktree(order)).catch(() => undefined)
    throw explained(error, path, id)
  }
}

async function register(git: Git, clock: Clock, order: WorktreeOrder): Promise<void> {
  const { id, path, base, commonDir } = order
  const options = ['--no-checkout', '--lock', '--reason', lockReason(id), '--detach']
  for (let tries = 1; ; tries++) {
    try {
      await git.run(['worktree', 'add', ...options, path, base.commit], {
        place: { gitDir: commonDir },
      })
      return
    } catch (error) {
      // Two `git worktree add` at once: one reads what the other has made but not yet written.
      const isRace = error instanceof GitError && /commondir'?: Success/.test(error.stderr)
      if (!isRace || tries === REGISTER_TRIES) throw error
      await discardWorktree(order)
      await clock.sleep(REGISTER_PAUSE_MS)
    }
  }
}

export function recordOf({
  id,
  path,
  commonDir,
}: Pick<WorktreeOrder, 'id' | 'path' | 'commonDir'>): WorktreeRecord {
  const gitDir = readPointer(path)
  if (gitDir === undefined || dirname(gitDir) !== join(commonDir, 'worktrees')) {
    throw new AppError('refused_in_state', `git made no worktree of ${commonDir} at ${path}`)
  }
  const { dev, ino } = lstatSync(path)
  const gitDirIdentity = identityOf(gitDir)
  return { id, path, gitDir, commonDir, device: dev, inode: ino, gitDirIdentity }
}

/** Read once, and only where they are needed: a spawn. */
function settingsOf(git: Git, commonDir: string): () => Promise<Settings> {
  let reading: Promise<Settings> | undefined
  return () => {
    reading ??= readSettings(git, { gitDir: commonDir })
    return reading
  }
}

/**
 * With cores to spare, two writers are a quarter faster than one at 50,000 files, and more add
 * little. On two busy cores they are 30 % slower. The user's own setting counts before ours.
 */
async function checkoutConfig(settings: () => Promise<Settings>): Promise<Record<string, string>> {
  if (availableParallelism() - countRunning() < WRITERS) return {}
  const isSet = (await settings()).checkoutWorkers !== undefined
  return isSet ? {} : { 'checkout.workers': String(WRITERS) }
}

/** How many others run or wait for a core, at this moment. */
function countRunning(): number {
  try {
    // As proc(5) has it: three averages, then those that can run, of all. One of them reads this.
    const [, running] = /^(?:\S+ ){3}(\d+)\//.exec(readFileSync('/proc/loadavg', 'utf8')) ?? []
    if (running !== undefined) return Number(running) - 1
  } catch {
    // Another system: it says only how many there were in the last minute.
  }
  return loadavg()[0] ?? 0
}

/** The working files first, with their dirty ones; then the index, which keeps their stat data. */
export async function fillWorktree(
  git: Git,
  record: Pick<WorktreeRecord, 'gitDir' | 'commonDir' | 'path'>,
  base: Base,
  settings: () => Promise<Settings>,
): Promise<void> {
  const { gitDir, commonDir, path } = record
  const place = { gitDir, commonDir, workTree: path }
  const snapshot = baseTreeCommit(base)
  const traits = await readTraits(git, place, base)
  const sparse = sparseRulesIn(traits)
  await writeSparseRules(git, record, sparse, settings)
  const config = await checkoutConfig(settings)
  const [staged] = await Promise.all([
    sparse === null ? findStaged(git, place, base) : [],
    git.run(['read-tree', '-m', '-u', snapshot], { place, config }),
  ])
  reach('worktree.filled')
  if (base.changes === null) return
  const delta = () => readDelta(git, place, ['diff-tree', '-r'], [base.commit, snapshot])
  if (sparse !== null) {
    const unchecked = pathsIn(traits, 'unchecked')
    const paths = [...(await delta()).keys()].filter(changed => !unchecked.has(changed))
    await checkOutBeyond(git, place, paths)
    // Only git knows which entries are to be left out.
    await git.run(['read-tree', '-m', base.changes.staged ?? base.commit], { place })
  } else if (staged.length > 0) {
    await writeEntries(git, place, staged)
  }
  await restoreTraits(git, place, traits, delta, settings)
  reach('worktree.staged')
}

/** What the index is to have in another way than the working files. */
async function findStaged(git: Git, place: GitPlace, base: Base): Promise<readonly IndexEdit[]> {
  if (base.changes === null) return []
  const trees = [base.changes.snapshot, base.changes.staged ?? base.commit] as const
  const delta = await readDelta(git, place, ['diff-tree', '-r'], trees)
  const none = { mode: '0', object: '0'.repeat(base.commit.length) }
  return [...delta].map(([path, { after }]) => ({ path, ...(after ?? none) }))
}

/** Each in a repository of its own, as the worktree is filled; then those in it. */
async function fillSubmodules(git: Git, around: Surroundings, base: Base): Promise<void> {
  for (const submodule of base.submodules ?? []) {
    const inner = await makeSubmodule(git, around, submodule)
    const { gitDir, path } = inner
    const settings = settingsOf(git, gitDir)
    await fillWorktree(git, { gitDir, commonDir: gitDir, path }, submodule.base, settings)
    await fillSubmodules(git, inner, submodule.base)
  }
}

/** A worktree of this id that a killed process left at this path is ours to clear away. */
async function clearKilledTry(order: WorktreeOrder): Promise<void> {
  const { id, path, commonDir } = order
  const registration = findRegistration(commonDir, path)
  const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined
  if (registration === undefined && !isThere) return await discardWorktree(order)
  if (registration === undefined || !isLockedFor(registration, id)) {
    throw new AppError('refused_in_state', `${path} is taken by something else`, {
      hint: isThere ? 'move it away' : 'git has another worktree registered there',
    })
  }
  await discardWorktree(order)
}

/** Renamed, unregistered, unlinked. Does nothing to what is not locked for this id. */
export async function discardWorktree({
  id,
  path,
  commonDir,
}: Omit<WorktreeOrder, 'base'>): Promise<void> {
  const registration = findRegistration(commonDir, path)
  if (registration !== undefined && isLockedFor(registration, id)) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      renameSync(path, `${path}.discarded-${discardedOf(path).length}`)
      reach('discard.renamed')
    }
    await unregister(commonDir, path, id)
    reach('discard.unregistered')
  } else {
    await removeAside(commonDir)
  }
  // Also what somebody has left who was killed right here.
  const remains = discardedOf(path)
  for (const name of remains) await discardTree(join(dirname(path), name))
  if (remains.length > 0) reach('discard.unlinked')
}

const discardedOf = (path: string): readonly string[] =>
  readdirSync(dirname(path)).filter(name => name.startsWith(`${basename(path)}.discarded-`))

function explained(error: unknown, path: string, id: WorktreeId): unknown {
  const hint = fetchHint(error)
  if (!(error instanceof GitError) && hint === undefined) return error
  const isFull = error instanceof GitError && error.isFull
  return new AppError(
    isFull ? 'no_space' : 'refused_in_state',
    `the worktree ${id} could not be made at ${path}: ${messageOf(error)}`,
    { hint: isFull ? 'free some space there' : (hint ?? 'nothing is left of it'), cause: error },
  )
}
