/** Git, store and disk must tell the same of each worktree. */
import type { Snapshot } from '../../domain/snapshot.ts'
import { activeStates, endedStates } from '../../domain/task.ts'
import type { Locks } from '../../ports/lock.ts'
import type { Store, StoredWorktree } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { WorktreePlan, Worktrees } from '../../ports/worktrees.ts'
import { isOnItsWay } from '../worktree-lock.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'worktrees'

export interface WorktreeLookPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly locks: Locks
}

export async function findWorktreeTrouble(ports: WorktreeLookPorts): Promise<readonly Finding[]> {
  const known = await ports.store.listWorktrees()
  const findings: Finding[] = []
  for (const worktree of known) {
    // It is neither here nor gone.
    if (isOnItsWay(worktree.id, ports)) continue
    if (worktree.retiring) {
      findings.push(leftOnItsWay(worktree))
      continue
    }
    if (await isHalfRestored(worktree, ports)) {
      findings.push(
        trouble(CHECK, 'warning', `${worktree.path} was being brought back by somebody who died`, {
          repair: { kind: 'restore_worktree', worktree: worktree.id },
        }),
      )
      continue
    }
    const lease = await findLeaseTrouble(worktree, ports)
    if (lease !== undefined) findings.push(lease)
    const place = await findPlaceTrouble(worktree, ports)
    if (place !== undefined) findings.push(place)
    findings.push(...(await findLockTrouble(worktree, ports)))
  }
  findings.push(...(await findUnknown(known, ports)))
  findings.push(...findKept(ports))
  findings.push(...(await findLostSnapshots(ports)))
  return findings.length > 0 ? findings : [fine(CHECK, `${known.length} known, all as recorded`)]
}

/** Trees that were retired, and cannot be unlinked. */
function findKept({ files, worktrees }: WorktreeLookPorts): readonly Finding[] {
  return worktrees.listTrash(files.trash()).flatMap(({ path, worktreePath, kept }) => {
    if (kept === null) return []
    const what = worktreePath === null ? path : `${path}, which was ${worktreePath},`
    const hint = `take what you miss, then remove it: rm -r '${path}' '${path}.json'`
    return [trouble(CHECK, 'warning', `${what} stays in the trash: ${kept}`, { hint })]
  })
}

/** What stands there, if anything, is only a part of what its snapshot holds. */
async function isHalfRestored(
  { id, record, leasedTo }: StoredWorktree,
  { store }: WorktreeLookPorts,
): Promise<boolean> {
  if (record !== null || leasedTo !== null) return false
  return (await store.listSnapshots(id)).length > 0
}

function leftOnItsWay({ id, kind, path }: StoredWorktree): Finding {
  const what = `${path} was being put away by somebody who died`
  return trouble(CHECK, 'warning', what, { repair: { kind: 'put_away', worktree: id, of: kind } })
}

async function findLeaseTrouble(
  { id, leasedTo }: StoredWorktree,
  { store }: WorktreeLookPorts,
): Promise<Finding | undefined> {
  if (leasedTo === null) return undefined
  const row = await store.findRemains(leasedTo)
  if (row !== undefined && !endedStates.some(name => name === row.state)) return undefined
  const why = row === undefined ? 'which nobody knows' : 'which has ended'
  return trouble(CHECK, 'error', `${id} is in use by ${leasedTo}, ${why}`, {
    repair: { kind: 'release_lease', worktree: id },
  })
}

async function findPlaceTrouble(
  worktree: StoredWorktree,
  { store, worktrees }: WorktreeLookPorts,
): Promise<Finding | undefined> {
  const { path, commonDir, record, leasedTo } = worktree
  const row = leasedTo === null ? undefined : await store.findRemains(leasedTo)
  const isOwned = row !== undefined && !endedStates.some(name => name === row.state)
  if (record === null) {
    // Its worker is at work on it, or will be.
    return isOwned || isYetToBeMade(worktree, worktrees)
      ? undefined
      : findHalfMade(worktree, worktrees)
  }
  const isGone = worktrees.isGone(record)
  const forget = { kind: 'forget_worktree', place: planOf(worktree), hasRow: true } as const
  switch (worktrees.lookAtWorktree(record)) {
    case 'present':
      return undefined
    case 'unseen':
      return trouble(CHECK, 'warning', `${path} cannot be looked at`, {
        hint: `see who may enter it: ls -ld '${path}'`,
      })
    case 'worktree_lost':
      if (isOwned)
        return trouble(CHECK, 'warning', `${path} was deleted or replaced, and is in use`)
      if (isGone && worktree.kind === 'permanent') {
        return trouble(CHECK, 'warning', `${path} was deleted; the next task there makes it anew`, {
          repair: forget,
        })
      }
      if (isGone) return fine(CHECK, `${path} was taken away`, forget)
      return trouble(CHECK, 'warning', `${path} was replaced, or its disk is not mounted`, {
        hint: 'nothing in it is touched; look at it yourself',
      })
    case 'repository_lost':
      // Without its directory there is nothing left that could be lost.
      if (isGone && !isOwned) return fine(CHECK, `${path} was taken away with ${commonDir}`, forget)
      return trouble(
        CHECK,
        'warning',
        `the repository ${commonDir} is gone${isGone ? '' : `; ${path} is still there`}`,
      )
  }
}

/** Its first task was cancelled before it began; the next one that names it makes it. */
function isYetToBeMade({ kind, path }: StoredWorktree, worktrees: Worktrees): boolean {
  return kind === 'permanent' && !worktrees.isThere(path)
}

/** While its task is under way, its agent's own git may hold one. */
async function findLockTrouble(
  worktree: StoredWorktree,
  { store, worktrees }: WorktreeLookPorts,
): Promise<readonly Finding[]> {
  const { leasedTo, kind } = worktree
  const row = leasedTo === null ? undefined : await store.findRemains(leasedTo)
  if (kind === 'borrowed' || activeStates.some(name => name === row?.state)) return []
  const place = planOf(worktree)
  return worktrees.findStaleLocks(place).map(path =>
    trouble(CHECK, 'warning', `${path} was left by a git that was killed`, {
      repair: { kind: 'remove_git_lock', place, path },
    }),
  )
}

/** Its row was written, and not what it was made as. */
function findHalfMade(worktree: StoredWorktree, worktrees: Worktrees): Finding {
  const { path } = worktree
  const place = planOf(worktree)
  const record = worktrees.recogniseWorktree(place)
  if (record !== undefined) {
    return trouble(CHECK, 'warning', `${path} stands, and was not written down as what`, {
      repair: { kind: 'register_worktree', record, worktree: worktree.kind },
    })
  }
  return worktrees.isThere(path)
    ? trouble(CHECK, 'warning', `${path} stands half made`, {
        hint: 'no agent ever ran in it; remove it if you know it',
      })
    : trouble(CHECK, 'warning', `${path} was never made`, {
        repair: { kind: 'forget_worktree', place, hasRow: true },
      })
}

/** Snapshots of which the store has lost the row, and their directory says what they are. */
async function findLostSnapshots({ store, files }: WorktreeLookPorts): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const snapshot of await files.listSnapshotCopies()) {
    const { worktree, number } = snapshot
    if (await isRecorded(snapshot, store)) continue
    const said = `the store has lost snapshot ${number} of ${worktree}, which its directory knows`
    findings.push(trouble(CHECK, 'error', said, { repair: { kind: 'record_snapshot', snapshot } }))
  }
  return findings
}

async function isRecorded({ worktree, number }: Snapshot, store: Store): Promise<boolean> {
  try {
    return (await store.listSnapshots(worktree)).some(one => one.number === number)
  } catch {
    // A damaged row: the store's own check has named it, and mends it.
    return true
  }
}

/** Worktrees under our root that git calls ours, and the store does not know. */
async function findUnknown(
  known: readonly StoredWorktree[],
  { store, files, worktrees }: WorktreeLookPorts,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const ids = known.map(({ id }) => id)
  const repositories = new Set([
    ...known.map(({ commonDir }) => commonDir),
    ...(await store.listRepositories()),
  ])
  for (const commonDir of repositories) {
    const strays = await worktrees.findStrays(commonDir, files.worktreesDirectory(), ids)
    for (const { id, path } of strays) {
      // Of an agent or of the user, who know why: it is none of ours to mend.
      if (id === null) continue
      const place: WorktreePlan = { id, kind: 'managed', path, commonDir }
      findings.push(describeStray(place, worktrees))
    }
  }
  return findings
}

function describeStray(place: WorktreePlan, worktrees: Worktrees): Finding {
  const { path, commonDir } = place
  const said = `${path} is registered in ${commonDir}, and of no task`
  if (!worktrees.isThere(path)) {
    const repair = { kind: 'forget_worktree', place, hasRow: false } as const
    return trouble(CHECK, 'warning', `${said}; its directory is gone`, { repair })
  }
  const record = worktrees.recogniseWorktree(place)
  if (record === undefined) return trouble(CHECK, 'warning', said)
  const repair = { kind: 'register_worktree', record, worktree: place.kind } as const
  return trouble(CHECK, 'warning', said, { repair })
}

function planOf({ id, kind, path, commonDir }: StoredWorktree): WorktreePlan {
  return { id, kind, path, commonDir }
}
