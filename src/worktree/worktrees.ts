import { join } from 'node:path'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/lock.ts'
import type { ProcessTable } from '../ports/process-table.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { isAsBase } from './base/as-base.ts'
import { captureBase, freeBytesAt, requireCommit } from './base/base.ts'
import { borrowCheckout } from './base/borrow.ts'
import { holdHandState } from './base/hand-state.ts'
import { holdStart, placeStart } from './base/start.ts'
import { surveyChanges } from './base/survey-changes.ts'
import { openCheckout, refuseAgentsOwn } from './capture/checkout.ts'
import { dropTaken, holdBase, mayHaveRef, refOf } from './capture/refs.ts'
import { cameFromSetUp } from './files/came-from-set-up.ts'
import { discardTree } from './files/discard.ts'
import type { BytePath } from './files/paths.ts'
import { withOwnFilters } from './git/filters.ts'
import { makeGit } from './git/git.ts'
import { badged, findAllOrphans, takeOver } from './git/orphans.ts'
import { FETCH_LIMIT_MS, isPartialClone, withinLimit } from './git/partial-clone.ts'
import {
  keepLocked,
  listRegistered,
  locateWorktree,
  lookAtWorktree,
  openOwnDirectory,
} from './git/registration.ts'
import { defaultBranch, listMirrors, listRemotes, push } from './git/remotes.ts'
import { unblocked } from './git/unblock.ts'
import { gitVersion } from './git/version.ts'
import { adoptWorktree, releaseWorktree } from './make/adopt.ts'
import { createWorktree } from './make/create.ts'
import { listIgnored, takeIncluded } from './make/included.ts'
import { forgetLost, isGone, isThere, recogniseWorktree } from './make/lost.ts'
import { placeDirectories } from './make/place-directories.ts'
import { placeIncluded } from './make/place-included.ts'
import { aimSpare, claimSpare, countFiles, makeSpare } from './make/spare.ts'
import { findStaleLocks, removeStaleLock } from './make/stale-locks.ts'
import { makeBranch } from './result/branch.ts'
import { collectResult, diffNow } from './result/collect.ts'
import { compareCommits, countFileLines, mergeBase, parentOf } from './result/compare.ts'
import { snapshotRunning } from './result/running-snapshot.ts'
import { requireTaskCommits } from './result/task-objects.ts'
import { discardBuildOutput, findBuildOutput, moveBuildOutput } from './retire/build-output.ts'
import { isAmong, keptIn } from './retire/ignored.ts'
import { furnishSpare, stripSpare } from './retire/kept-output.ts'
import { findUnkept } from './retire/kept-whole.ts'
import { discardForGood, discardStray, dropRefs, findStrays, listStanding } from './retire/leave.ts'
import { listLeftBehind } from './retire/left-behind.ts'
import { placeSubmodules } from './retire/place-submodules.ts'
import { removeWorktree } from './retire/remove.ts'
import { isContained, returnToBranch, snapshotCommit, takeSnapshot } from './retire/snapshot.ts'
import { listTrash, purgeTrash } from './retire/trash.ts'

export interface WorktreesNeeds {
  readonly locks: Locks
  readonly clock: Clock
  /** By which gits are found that outlived their worker. */
  readonly processes: ProcessTable
  /** The environment that git runs in, less its `GIT_*`: PATH, HOME and what filters need. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Bytes free on the file system of a path; the system's own answer unless given. */
  readonly freeBytes?: (path: string) => number
  /** Where managed worktrees stand: a git directory in there was made by an agent. */
  readonly agentsRoot?: string
  /** How long a partial clone may fetch what a worktree lacks, in milliseconds. */
  readonly fetchLimitMs?: number
  /** Its gits give way to others. */
  readonly isBackground?: boolean
  /** With which git runs; as this process has it unless given. */
  readonly umask?: number
}

/** For what nobody waits for. */
const NICENESS = 15

/** The port `Worktrees` on plain `git`. */
export function makeWorktrees(needs: WorktreesNeeds): Worktrees {
  const { locks, clock, processes, environment, agentsRoot } = needs
  const { freeBytes = freeBytesAt, fetchLimitMs = FETCH_LIMIT_MS } = needs
  const git = makeGit(environment, needs.umask, needs.isBackground ? NICENESS : 0)
  const others = new Map<number, Worktrees>()
  const self: Worktrees = {
    withUmask(umask) {
      if (umask === null || umask === needs.umask) return self
      const made = others.get(umask) ?? makeWorktrees({ ...needs, umask })
      others.set(umask, made)
      return made
    },
    openCheckout: async directory => {
      const checkout = await openCheckout(git, directory)
      if (agentsRoot !== undefined) refuseAgentsOwn(checkout, agentsRoot)
      return checkout
    },
    captureBase: async (checkout, task, scratch, order) => {
      const { gitDir, place } = checkout
      // A linked worktree may be an agent's.
      const isLinked = gitDir !== place.commonDir
      const own = isLinked ? await withOwnFilters(git, place.commonDir) : git
      const reader = unblocked(own, checkout.place.root)
      return await captureBase(reader, {
        checkout,
        owner: task,
        as: 'base',
        scratch,
        order,
        now: clock.now(),
        freeBytes,
      })
    },
    holdBase: (commonDir, task, base) => holdBase(git, commonDir, task, base),
    borrowCheckout,
    takeIncluded: (checkout, directory, bounds) =>
      takeIncluded(unblocked(git, checkout.place.root), checkout, directory, bounds),
    listIgnored: checkout => listIgnored(unblocked(git, checkout.place.root), checkout),
    placeIncluded: (worktree, directory) => placeIncluded(git, worktree, directory),
    placeDirectories: (worktree, source, orders, bounds) =>
      placeDirectories(git, worktree, source, orders, bounds),
    dropBase: async (commonDir, task) => {
      if (mayHaveRef(commonDir, refOf(task, 'start'))) {
        await dropTaken(git, commonDir, refOf(task, 'start'))
      }
      await dropTaken(git, commonDir, refOf(task, 'base'))
    },
    createWorktree: (id, path, base, commonDir) =>
      createWorktree(git, locks, clock, processes, { id, path, base, commonDir }, fetchLimitMs),
    makeSpare: async (id, path, commit, commonDir) => {
      const order = { id, path, base: { commit, changes: null }, commonDir }
      return await makeSpare(git, clock, commit, commonDir, () =>
        createWorktree(git, locks, clock, processes, order, fetchLimitMs),
      )
    },
    aimSpare: (spare, commit) => aimSpare(git, clock, spare, commit),
    claimSpare: async (spare, id, path, base) => {
      const own = await takeOver(git, clock, processes, spare.record.path)
      return await claimSpare(own, locks, spare, { id, path, base }, processes)
    },
    furnishSpare: async (spare, tree) => {
      const own = await takeOver(git, clock, processes, spare.record.path)
      return await furnishSpare(own, spare, tree)
    },
    stripSpare,
    dropSpare: async ({ id, path, commonDir }, claimedBy) => {
      await takeOver(git, clock, processes, path)
      for (const owner of claimedBy === null ? [id] : [id, claimedBy]) {
        await discardForGood(locks, owner, path, commonDir)
      }
      await discardTree(path)
    },
    countFiles,
    inBackground: () => makeWorktrees({ ...needs, isBackground: true }),
    locateWorktree,
    lookAtWorktree,
    collectResult: async (record, base, task, directory, setUpAt = null, leave) => {
      openOwnDirectory(record)
      const worktree = locateWorktree(record)
      const taken = await takeOver(git, clock, processes, worktree.path)
      const reader = unblocked(taken, worktree.path, undefined, leave)
      // With the filters that it has started. What does not end is ended by the next worker.
      leave?.addEventListener('abort', () => void taken.endAll().catch(() => undefined))
      const own = await withOwnFilters(reader, worktree.commonDir)
      const collection = { worktree, base, task, setUpAt, now: clock.now() }
      const collect = () => collectResult(own, collection, directory)
      const isPartial = isPartialClone(worktree.commonDir)
      const result = await (isPartial ? withinLimit(taken, fetchLimitMs, collect) : collect())
      const fifos = reader.met().map(path => `${path}: not taken: it is a FIFO`)
      return { ...result, leftOut: [...new Set([...result.leftOut, ...fifos])] }
    },
    // It only reads, and may do so beside the worker: it takes nothing over.
    diffNow: async (record, base, task, scratch, setUpAt = null) => {
      const worktree = locateWorktree(record)
      const own = await withOwnFilters(unblocked(git, worktree.path), worktree.commonDir)
      return await diffNow(own, { worktree, base, task, setUpAt, now: clock.now() }, scratch)
    },
    snapshotRunning: async (record, order, leave) => {
      const worktree = locateWorktree(record)
      const nice = makeGit(environment, needs.umask, NICENESS)
      // Once for an attempt: it is a look at all processes.
      const take = order.seen === null ? takeOver : badged
      const taken = await take(nice, clock, processes, worktree.path)
      const reader = unblocked(taken, worktree.path, undefined, leave)
      leave.addEventListener('abort', () => void taken.endAll().catch(() => undefined))
      const own = await withOwnFilters(reader, worktree.commonDir)
      return await snapshotRunning(own, worktree, order, clock.now())
    },
    holdStart: (commonDir, task, commit, bundle) => holdStart(git, commonDir, task, commit, bundle),
    placeStart: (worktree, base, start) => placeStart(git, worktree, base, start),
    keepLocked: record => keepLocked(git, record),
    removeWorktree: async (record, collected, trash, setUpAt = null) => {
      openOwnDirectory(record)
      const worktree = { ...record, ...locateWorktree(record) }
      const taken = await takeOver(git, clock, processes, worktree.path)
      // It is moved to the trash meanwhile.
      const reader = unblocked(unblocked(taken, worktree.path), join(trash, worktree.id))
      const own = await withOwnFilters(reader, worktree.commonDir)
      const isKept = (tree: string) => (path: BytePath) => cameFromSetUp(tree, path, setUpAt)
      const nothing = { index: null, findUnkept: null, dropped: [], since: null }
      const proof = { commit: collected, isKept, ...nothing }
      await removeWorktree(own, locks, worktree, proof, trash, 'content')
    },
    takeSnapshot: async (record, number, directory, bounds, setUpAt) => {
      openOwnDirectory(record)
      const worktree = locateWorktree(record)
      const taken = await takeOver(git, clock, processes, worktree.path)
      const reader = unblocked(taken, worktree.path)
      const filtering = withOwnFilters(reader, worktree.commonDir)
      filtering.catch(() => undefined)
      const now = clock.now()
      const order = { worktree, number, directory, bounds, setUpAt, now, freeBytes }
      return await takeSnapshot(reader, filtering, order)
    },
    retireWorktree: async (record, snapshot, directory, trash) => {
      openOwnDirectory(record)
      const worktree = { ...record, ...locateWorktree(record) }
      const taken = await takeOver(git, clock, processes, worktree.path)
      const reader = unblocked(unblocked(taken, worktree.path), join(trash, worktree.id))
      const own = await withOwnFilters(reader, worktree.commonDir)
      const { dropped } = snapshot.ignored
      const isKept = (tree: string) => keptIn(tree, directory, dropped)
      const index = snapshot.state.changes?.staged ?? snapshot.state.commit
      const since = snapshot.begunAt === undefined ? null : BigInt(snapshot.begunAt)
      const findInside = (tree: string, submodules: readonly BytePath[]) =>
        findUnkept({ files: tree, git: worktree.gitDir }, submodules, directory, isAmong(dropped))
      const commit = snapshotCommit(snapshot)
      const proof = { commit, index, findUnkept: findInside, isKept, dropped, since }
      await removeWorktree(own, locks, worktree, proof, trash, 'stat')
    },
    listTrash,
    purgeTrash: (trash, tree, goesOn) => purgeTrash(git, trash, tree, goesOn),
    restoreWorktree: async ({ id, path, commonDir }, snapshot, directory) => {
      const order = { id, path, base: snapshot.state, commonDir }
      const worktree = await createWorktree(git, locks, clock, processes, order, fetchLimitMs)
      await placeSubmodules(git, worktree, directory)
      const problems = await placeIncluded(git, worktree, directory)
      const stays = await returnToBranch(git, worktree, snapshot)
      return { worktree, problems: stays === null ? problems : [...problems, stays] }
    },
    findBuildOutput: async record => {
      const worktree = locateWorktree(record)
      return await findBuildOutput(unblocked(git, worktree.path), worktree)
    },
    moveBuildOutput: async (record, output, trash, isFree) => {
      const worktree = locateWorktree(record)
      const taken = await takeOver(git, clock, processes, worktree.path)
      const own = unblocked(taken, worktree.path)
      return await moveBuildOutput(own, worktree, output, trash, isFree)
    },
    discardBuildOutput,
    isContained: (commonDir, commit) => isContained(git, commonDir, commit),
    holdHandState: async order => {
      const { gitDir, place } = order.checkout
      const own = gitDir === place.commonDir ? git : await withOwnFilters(git, place.commonDir)
      const reader = unblocked(own, place.root)
      return await holdHandState(reader, order, { now: clock.now(), freeBytes })
    },
    isAsBase: async (checkout, task, base, scratch) => {
      const { gitDir, place } = checkout
      const own = gitDir === place.commonDir ? git : await withOwnFilters(git, place.commonDir)
      const seen = { checkout, task, base, scratch, now: clock.now(), freeBytes }
      return await isAsBase(unblocked(own, place.root), seen)
    },
    surveyChanges: async checkout => {
      const { gitDir, place } = checkout
      const own = gitDir === place.commonDir ? git : await withOwnFilters(git, place.commonDir)
      return await surveyChanges(unblocked(own, place.root), checkout)
    },
    requireCommit: ({ gitDir }, revision) => requireCommit(git, gitDir, revision),
    mergeBase: (checkout, commit) => mergeBase(git, checkout, commit),
    parentOf: (commonDir, commit) => parentOf(git, commonDir, commit),
    compareCommits: (commonDir, order) => compareCommits(git, commonDir, order),
    countFileLines: (commonDir, commit, paths) => countFileLines(git, commonDir, commit, paths),
    requireTaskCommits: order => requireTaskCommits(git, order),
    dropHandState: (commonDir, task, which) => dropTaken(git, commonDir, refOf(task, which)),
    listLeftBehind: async (record, setUpAt) => {
      const worktree = { ...record, ...locateWorktree(record) }
      return await listLeftBehind(unblocked(git, worktree.path), worktree, setUpAt)
    },
    listRemotes: commonDir => listRemotes(git, commonDir),
    listMirrors: commonDir => listMirrors(git, commonDir),
    defaultBranch: (commonDir, remote) => defaultBranch(git, commonDir, remote),
    push: (commonDir, remote, branch) => push(git, commonDir, remote, branch),
    makeBranch: order => makeBranch(git, locks, order),
    dropSnapshot: async (commonDir, id, number) => {
      await dropTaken(git, commonDir, refOf(id, `snapshot/${number}`))
    },
    discardWorktree: async (id, path, commonDir) => {
      await takeOver(git, clock, processes, path)
      await discardForGood(locks, id, path, commonDir)
    },
    findStrays: (commonDir, root, known) => findStrays(git, commonDir, root, known),
    listStanding,
    discardStray: (root, path, commonDir) => discardStray(git, locks, root, path, commonDir),
    dropRefs: (commonDir, tasks) => dropRefs(git, commonDir, tasks),
    recogniseWorktree,
    adoptWorktree: (place, seenLock) => adoptWorktree(git, locks, place, seenLock),
    releaseWorktree: (id, path, commonDir) => releaseWorktree(git, locks, id, path, commonDir),
    forgetLost: place => forgetLost(git, locks, place),
    isGone,
    isThere,
    findStaleLocks: place => findStaleLocks(place, clock, processes),
    removeStaleLock: (place, path) => removeStaleLock(place, path, clock, processes),
    findOrphans: () => findAllOrphans(processes),
    endOrphans: async worktreePath => {
      await takeOver(git, clock, processes, worktreePath)
    },
    gitVersion: () => gitVersion(git),
    listRegistered: commonDir => listRegistered(git, commonDir),
  }
  return self
}
